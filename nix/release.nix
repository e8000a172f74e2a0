# Returns the function lib.mkRelease: the outputs of a flake, { lib, packages }, with which `slipway release` makes
# release files of programs that mkDerivation builds. mkProject and mkGoProject have these outputs already.
{
  # attribute set: default.nix for each build machine, by system (systems.nix)
  slipways,
}: {
  # string: name of the release
  name,
  # function from a target of lib.targets and a set of attributes to a derivation with the programs in bin/. The
  # attributes tell how to link; the function passes them to mkDerivation.
  build,
  # list of strings: OCI platforms. By default those with `default` in platforms.nix.
  platforms ? null,
  # string: the oldest version of glibc that the programs run with
  glibc ? "2.28",
  # strings for packages, or null: a line about the program, a URL and an SPDX expression
  description ? null,
  homepage ? null,
  license ? null,
}: let
  inherit (builtins) attrNames elem filter listToAttrs map mapAttrs;

  table = import ./platforms.nix;
  isWanted = row:
    if platforms == null
    then row.default
    else elem row.oci platforms;
  rows = listToAttrs (map (name: {
    inherit name;
    value = table.${name};
  }) (filter (name: isWanted table.${name}) (attrNames table)));

  releasePlatforms = import ./release-platforms.nix {
    inherit glibc;
    platforms = rows;
  };
  portable = filter (name: releasePlatforms.${name}.link == "portable") (attrNames releasePlatforms);
in {
  lib = {
    release = {inherit description homepage license name;};
    releasePlatforms = listToAttrs (map (name: {
        inherit name;
        value = releasePlatforms.${name};
      })
      portable);
  };
  packages = mapAttrs (_: slipway:
    listToAttrs (map (name: let
        row = releasePlatforms.${name};
        target = slipway.targets.${row.target};
      in {
        name = "release-${name}";
        value = build target (target.portable {inherit (row) glibc;});
      })
      portable))
  slipways;
}
