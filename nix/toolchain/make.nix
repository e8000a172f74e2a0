# make for build scripts of crates, which know nothing of a place without /bin/sh.
{
  bootstrap,
  debs,
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
