# Returns a derivation with make and gmake for build scripts of crates. It runs recipes with the shell of
# `bootstrap`, because the sandbox has no /bin/sh.
{
  # derivation: static bash and busybox in bin/ (toolchain/bootstrap.nix)
  bootstrap,
  # attribute set: Debian packages for the build machine, by name
  debs,
  # string: system of the build machine, such as "x86_64-linux"
  system,
}:
derivation {
  inherit system;
  PATH = "${bootstrap}/bin";
  name = "make";
  args = [
    "-e"
    "-c"
    ''
      mkdir -p "$out/bin"
      printf '#!${bootstrap}/bin/bash\nexec ${debs.make}/bin/make SHELL=${bootstrap}/bin/sh "$@"\n' >"$out/bin/make"
      chmod +x "$out/bin/make"
      ln -s make "$out/bin/gmake"
    ''
  ];
  builder = "${bootstrap}/bin/bash";
}
