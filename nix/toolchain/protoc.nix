# Returns a derivation with protoc. protoc finds the well-known types (google/protobuf/*.proto) relative to
# its executable, so both are in one derivation.
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
  name = "protoc-3.21";
  args = [
    "-e"
    "-c"
    ''
      mkdir -p "$out/bin"
      cp ${debs.protobuf-compiler}/bin/protoc "$out/bin"
      ln -s ${debs.libprotobuf-dev}/include "$out/include"
    ''
  ];
  builder = "${bootstrap}/bin/bash";
}
