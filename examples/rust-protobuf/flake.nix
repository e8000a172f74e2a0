{
  description = "The programs of this cargo workspace as OCI images";

  # Slipway brings the compilers, pinned. It has no inputs itself, so no name need be looked up, and `nix
  # develop` starts at once, offline too.
  inputs.slipway.url = "path:../..";
  nixConfig.flake-registry = "";

  # packages, images, shells and checks: `nix flake show` lists them, `nix build .#image` builds all platforms
  outputs = {slipway, ...}:
    slipway.lib.mkProject {
      src = ./.;
      platforms = ["linux/amd64" "linux/arm64"];
      # what the builds of crates run
      nativeBuildInputs = target: [target.protoc];
    };
}
