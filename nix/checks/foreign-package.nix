# Returns a derivation that checks that lib.image accepts a package with only the attributes that nixpkgs
# sets.
{
  # function: make-check.nix
  check,
  # function: image.nix
  image,
  # attribute set: target.nix for the platform of the package
  target,
}: let
  built = target.stdenv.mkDerivation {
    pname = "greet";
    version = "2.12";
    phases = "install";
    installPhase = ''
      mkdir -p "$out/bin"
      echo 'int main(void) { return 0; }' | $CC -static -x c - -o "$out/bin/greet"
    '';
  };
  package = {
    inherit (built) drvPath name outPath outputName outputs system type;
    pname = "greet";
    version = "2.12";
    meta.mainProgram = "greet";
    stdenv.hostPlatform.system = target.platform.nix;
  };
in
  check "foreign-package" ./foreign-package.sh {
    inherit package;
    inherit (target.platform) oci;
    image = image {inherit package;};
  }
