# What other flakes build their images with.
#
#   targets.PLATFORM  buildRust, stdenv.mkDerivation, libraries (Debian packages by name), librdkafka, …
#   image             a package's OCI image layout
#   index             one layout of several platforms' images
#   platforms         every name of each platform
#   mkProject         all outputs of a flake for somebody's cargo workspace
{slipway}: {
  inherit (slipway) image index platforms targets;
  mkProject = import ./project.nix {slipways.x86_64-linux = slipway;};
}
