# Crates laid out as cargo's directory source wants them
# (https://doc.rust-lang.org/cargo/reference/source-replacement.html#directory-sources).
{
  bootstrap,
  crates,
  name,
  seeds,
  system,
  bash,
  # the command of that name, for crates that may bring a configure script, which names an interpreter that a
  # sandbox does not have
  patchShebangs ? null,
}:
derivation {
  inherit system;
  PATH = "${bootstrap}/bin";
  name = "${name}-crates";
  args = [
    "-e"
    "-c"
    (''
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
      + (
        if patchShebangs == null
        then ""
        else ''
          find . -name configure -perm -u+x | while read -r script; do
            ${patchShebangs}/bin/patchShebangs "''${script%/*}"
          done
        ''
      ))
  ];
  builder = "${bootstrap}/bin/bash";
  checksums = map (package: package.checksum) crates;
  crates = map (package: seeds.crate {inherit bash package;}) crates;
}
