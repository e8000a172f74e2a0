# Returns a function from a list of images (image.nix) to a derivation with one OCI image layout, whose index
# lists the images of all platforms.
{
  # derivation of slipway-pack, the program that writes image layouts
  pack,
  # string: system of the build machine, such as "x86_64-linux"
  system,
}: images:
derivation {
  inherit system;
  args = ["index" "--out" (builtins.placeholder "out")] ++ images;
  builder = "${pack}/bin/slipway-pack";
  name = "image-index";
}
