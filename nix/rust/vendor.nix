# Returns a derivation with crates, laid out as a cargo directory source
# (https://doc.rust-lang.org/cargo/reference/source-replacement.html#directory-sources).
{
  # derivation: static bash and busybox in bin/ (toolchain/bootstrap.nix)
  bootstrap,
  # list: entries of Cargo.lock with a checksum
  crates,
  # string: prefix of the derivation's name
  name,
  # derivation: the Rust toolchain (toolchain/rust.nix)
  rust,
  # attribute set: the functions of seeds.nix
  seeds,
  # string: system of the build machine, such as "x86_64-linux"
  system,
  # derivation: the static bash executable
  bash,
  # derivation or null: patch-shebangs.nix, for crates with configure scripts, which otherwise need an
  # interpreter that the sandbox does not have. null if no crate has such a script.
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
  crates = map (package:
    seeds.crate {
      inherit bash package;
      inherit (rust) client;
    })
  crates;
}
