# The command patchShebangs of nixpkgs.
{
  bootstrap,
  system,
}:
derivation {
  inherit system;
  PATH = "${bootstrap}/bin";
  name = "patch-shebangs";
  args = [
    "-e"
    "-c"
    ''
      mkdir -p "$out/bin"
      printf '#!%s -e\nsource %s\n' ${bootstrap}/bin/bash ${./patch-shebangs.sh} >"$out/bin/patchShebangs"
      chmod +x "$out/bin/patchShebangs"
    ''
  ];
  builder = "${bootstrap}/bin/bash";
}
