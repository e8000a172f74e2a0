# protoc, which finds the messages that everyone may import beside itself.
{
  bootstrap,
  debs,
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
