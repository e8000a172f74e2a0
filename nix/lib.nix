# What other flakes build their images with.
#
#   targets.PLATFORM  buildRust, stdenv.mkDerivation, libraries (Debian packages by name), librdkafka, …
#   image             a package's OCI image layout
#   index             one layout of several platforms' images
#   platforms         every name of each platform
#   mkProject         all outputs of a flake for somebody's cargo workspace
#   forSystem.SYSTEM  image, index, platforms and targets of a build machine of that system
{slipways}: let
  inherit (builtins) attrValues filter head mapAttrs;

  platforms = import ./platforms.nix;
  reference = head (filter (platform: platform.reference or false) (attrValues platforms));

  ofSystem = slipway: {inherit (slipway) image index platforms targets;};
  forSystem = mapAttrs (_: ofSystem) slipways;
in
  forSystem.${reference.nix}
  // {
    inherit forSystem;
    mkProject = import ./project.nix {inherit slipways;};
  }
