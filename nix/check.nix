# A script that proves something in the sandbox: of images mostly, which it unpacks and looks into.
{
  bootstrap,
  llvm,
  pack,
  system,
}: name: script: attrs:
derivation ({
    inherit name system;
    args = ["-e" script];
    builder = "${bootstrap}/bin/bash";
    PATH = "${pack}/bin:${llvm}/lib/llvm-19/bin:${bootstrap}/bin";
  }
  // attrs)
