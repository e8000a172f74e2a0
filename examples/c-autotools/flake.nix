{
  description = "A C library and a program that uses it, built with autoconf, automake and libtool, for amd64 and arm64";

  inputs.slipway.url = "path:../..";

  outputs = {
    self,
    slipway,
  }: let
    inherit (slipway.lib) image index merge mkRelease targets;

    # `link` tells how to link programs of release files.
    program = target: link:
      target.stdenv.mkDerivation ({
          name = "roundtrip";
          src = ./.;
          nativeBuildInputs = [target.autoreconfHook];
          buildInputs = [target.libraries.libzstd-dev];
          # what is for compilers, apart from what the image holds
          outputs = ["out" "dev"];
        }
        // link);

    imageOf = target:
      image {
        inherit target;
        package = program target {};
        entrypoint = "bin/roundtrip";
      };
  in
    merge [
      {
        packages.x86_64-linux = {
          default = index [(imageOf targets.aarch64) (imageOf targets.x86_64)];
          image-aarch64 = imageOf targets.aarch64;
          image-x86_64 = imageOf targets.x86_64;
          program-aarch64 = program targets.aarch64 {};
          program-x86_64 = program targets.x86_64 {};
        };
      }
      (mkRelease {
        name = "roundtrip";
        build = program;
      })
    ];
}
