# Returns a derivation with the command patchShebangs, as in nixpkgs: it replaces the interpreters of scripts
# with programs on PATH.
{
  # derivation: static bash and busybox in bin/ (toolchain/bootstrap.nix)
  bootstrap,
  # string: system of the build machine, such as "x86_64-linux"
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
