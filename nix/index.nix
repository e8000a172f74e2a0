# One OCI image layout of several platforms' images, behind one index.
{
  pack,
  system,
}: images:
derivation {
  inherit system;
  args = ["index" "--out" (builtins.placeholder "out")] ++ images;
  builder = "${pack}/bin/slipway-pack";
  name = "image-index";
}
