# Crates laid out as cargo's directory source wants them
# (https://doc.rust-lang.org/cargo/reference/source-replacement.html#directory-sources).
{
  bootstrap,
  crates,
  name,
  seeds,
  system,
  bash,
}:
derivation {
  inherit system;
  PATH = "${bootstrap}/bin";
  name = "${name}-crates";
  args = [
    "-e"
    "-c"
    ''
      mkdir "$out"
      cd "$out"
      set -- $checksums
      for crate in $crates; do
        tar -xzf "$crate"
        directory=''${crate#*-}
        printf '{"files":{},"package":"%s"}' "$1" >"''${directory%.crate}/.cargo-checksum.json"
        shift
      done
    ''
  ];
  builder = "${bootstrap}/bin/bash";
  checksums = map (package: package.checksum) crates;
  crates = map (package: seeds.crate {inherit bash package;}) crates;
}
