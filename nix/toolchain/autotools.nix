# Returns a derivation with autoconf, automake and libtool. In nativeBuildInputs, it adds a phase that runs
# autoreconf before the configure phase.
{
  # derivation: static bash and busybox in bin/ (toolchain/bootstrap.nix)
  bootstrap,
  # attribute set: Debian packages for the build machine, by name
  debs,
  # derivation: perl.nix
  perl,
  # string: system of the build machine, such as "x86_64-linux"
  system,
  # function: sh-shim.nix
  withShell,
}: let
  m4 = withShell {
    package = debs.m4;
    program = "m4";
  };

  autotools = derivation {
    inherit system;
    PATH = "${bootstrap}/bin";
    name = "autotools";
    # Unpatched packages in one tree, because they refer to each other by paths below /usr.
    packages = map (name: debs.${name}.src) ["autoconf" "automake" "autotools-dev" "libtool" "pkgconf"];
    args = [
      "-e"
      "-c"
      ''
        for deb in $packages; do dpkg-deb -x "$deb" tree; done
        mkdir -p "$out/bin"
        mv tree/usr/share "$out/share"
        rm -rf "$out"/share/{doc,info,lintian,man}
        for program in autoconf autoheader autom4te autoreconf autoscan autoupdate ifnames libtoolize; do
          mv tree/usr/bin/$program "$out/bin"
        done
        for program in aclocal automake; do mv tree/usr/bin/$program-* "$out/bin/$program"; done
        ln -s ${m4}/bin/m4 ${perl}/bin/perl "$out/bin"
        grep -rl /usr/share/ "$out" | while read -r file; do
          sed -i -E "s,/usr/share/(aclocal|autoconf|automake|libtool|misc),$out/share/\1,g" "$file"
        done
        for program in "$out"/bin/*; do
          [[ -L $program ]] || sed -i "1s,^#!.*\bsh\b.*,#!${bootstrap}/bin/bash,; s,\"/bin/,\"${bootstrap}/bin/,; s,/usr/bin/,$out/bin/,g" "$program"
        done
      ''
    ];
    builder = "${bootstrap}/bin/bash";
  };
in
  autotools
  // {
    hook = inputs: {
      ACLOCAL_PATH = builtins.concatStringsSep ":" (map (input: "${input}/share/aclocal") inputs);
      autoreconfPhase = ''
        patchShebangs .
        autoreconf --force --install
      '';
      phases = "unpack patch autoreconf configure build check install fixup";
    };
  }
