# Returns a function NAME: SCRIPT: ATTRS: DERIVATION. The derivation runs the script, a path, with the
# attributes as environment variables, and with the programs on PATH that checks of images need.
{
  # derivation: static bash and busybox in bin/ (toolchain/bootstrap.nix)
  bootstrap,
  # Debian package llvm-19 for the build machine
  llvm,
  # derivation of slipway-pack, the program that writes image layouts
  pack,
  # string: system of the build machine, such as "x86_64-linux"
  system,
  # derivation of slipway-verify
  verifier,
}: name: script: attrs:
derivation ({
    inherit name system;
    args = ["-e" script];
    builder = "${bootstrap}/bin/bash";
    PATH = "${pack}/bin:${verifier}/bin:${llvm}/lib/llvm-19/bin:${bootstrap}/bin";
  }
  // attrs)
