{
  description = "The programs of this cargo workspace as OCI images";

  # Slipway brings the compilers, pinned. It has no inputs itself.
  inputs.slipway.url = "path:../..";

  # packages, images, shells and checks: `nix flake show` lists them, `nix build .#image` builds all platforms
  outputs = {slipway, ...}:
    slipway.lib.mkProject {
      src = ./.;
      platforms = ["linux/amd64" "linux/arm64"];
    };
}
