# Perl, for autoconf and for what else configures or generates with it.
{
  bootstrap,
  debs,
  system,
  withShell,
}: let
  perl = withShell {
    package = debs.perl-base;
    program = "perl";
  };
in
  derivation {
    inherit system;
    PATH = "${bootstrap}/bin";
    name = "perl-5.40";
    args = [
      "-e"
      "-c"
      ''
        mkdir -p "$out/bin"
        printf '%s' "$wrapper" >"$out/bin/perl"
        chmod +x "$out/bin/perl"
        "$out/bin/perl" -MData::Dumper -MFile::Compare -MPOSIX -e 1
      ''
    ];
    builder = "${bootstrap}/bin/bash";
    # It looks for its modules in /usr; by a variable those find them too that it starts.
    wrapper = ''
      #!${bootstrap}/bin/bash
      for dir in ${debs.perl-base}/lib/*/perl-base ${debs."libperl5.40"}/lib/*/perl/5.40 ${debs."perl-modules-5.40"}/share/perl/5.40; do
        [[ :$PERL5LIB: = *:$dir:* ]] || PERL5LIB+=''${PERL5LIB:+:}$dir
      done
      export PERL5LIB
      exec ${perl}/bin/perl "$@"
    '';
  }
