# Returns a derivation with Perl, for autoconf and for other programs that configure or generate sources.
# Debian's perl searches its modules in /usr, so PERL5LIB names their directories. The hook sets PERL5LIB for
# builds, and the wrapper sets it if the hook has not.
{
  # derivation: static bash and busybox in bin/ (toolchain/bootstrap.nix)
  bootstrap,
  # attribute set: Debian packages for the build machine, by name
  debs,
  # string: system of the build machine, such as "x86_64-linux"
  system,
  # function: sh-shim.nix
  withShell,
}: let
  interpreter = withShell {
    package = debs.perl-base;
    program = "perl";
  };
  modules = root: builtins.concatStringsSep ":" (map (part: "${root}/lib/${part}") ["base" "architecture" "all"]);

  perl = derivation {
    inherit system;
    PATH = "${bootstrap}/bin";
    name = "perl-5.40";
    args = [
      "-e"
      "-c"
      ''
        mkdir -p "$out/bin" "$out/lib"
        ln -s ${debs.perl-base}/lib/*/perl-base "$out/lib/base"
        ln -s ${debs."libperl5.40"}/lib/*/perl/5.40 "$out/lib/architecture"
        ln -s ${debs."perl-modules-5.40"}/share/perl/5.40 "$out/lib/all"
        sed "s|@modules@|${modules "$out"}|g" >"$out/bin/perl" <<'END'
        #!${bootstrap}/bin/bash
        [[ :$PERL5LIB: = *:@modules@:* ]] || export PERL5LIB=''${PERL5LIB:+$PERL5LIB:}@modules@
        exec ${interpreter}/bin/perl "$@"
        END
        chmod +x "$out/bin/perl"
        "$out/bin/perl" -MData::Dumper -MFile::Compare -MPOSIX -e 1
      ''
    ];
    builder = "${bootstrap}/bin/bash";
  };
in
  perl // {hook = _: {PERL5LIB = modules perl;};}
