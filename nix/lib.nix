# Returns the output `lib` of the flake, the functions with which other flakes build images:
#
#   merge        function: the outputs of several projects in one repository (merge.nix)
#   mkGoProject  function: all outputs of a flake for Go modules (go-project.nix)
#   mkProject    function: all outputs of a flake for a cargo workspace (rust-project.nix)
#   mkRelease    function: the outputs of a flake for `slipway release` (release.nix)
#   releasable   attribute set: the platforms that release files can be made for (release-platforms.nix)
#   SYSTEM       attribute set for a build machine of that system, such as lib.x86_64-linux
#     baseImage         function from a slipway.lock, a reference and an OCI platform: the image layout of a base image
#     targets.PLATFORM  buildRust, stdenv.mkDerivation, libraries (Debian packages by name), … (target.nix)
#     image             function: the OCI image layout of a package (image.nix)
#     index             function: one OCI image layout of several images (index.nix)
#     platforms         the table of platforms (platforms.nix)
#
# The attributes of SYSTEM are also attributes of `lib` itself, for the system of the reference platform.
{
  # attribute set: default.nix for each build machine, by system (systems.nix)
  slipways,
}: let
  inherit (builtins) attrValues filter head mapAttrs;

  platforms = import ./platforms.nix;
  reference = head (filter (platform: platform.reference or false) (attrValues platforms));

  forSystem =
    mapAttrs (_: slipway: {
      inherit (slipway) image index platforms targets;
      baseImage = lock: slipway.baseOf (import ./read-lock.nix lock);
    })
    slipways;
in
  forSystem.${reference.nix}
  // forSystem
  // (let
    project = import ./project.nix {inherit slipways;};
  in {
    merge = import ./merge.nix;
    mkGoProject = import ./go-project.nix {inherit project;};
    mkProject = import ./rust-project.nix {inherit project;};
    mkRelease = import ./release.nix {inherit slipways;};
    releasable = import ./release-platforms.nix {
      inherit platforms;
      glibc = "2.28";
    };
  })
