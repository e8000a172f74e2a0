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
  # string: how the programs get Debian's libraries: "static" or "bundled" (toolchain/portable.nix)
  libraries ? "static",
  # path, flake input or derivation: Apple's SDK for macOS, with which programs for macOS can have C and use Apple's
  # frameworks. By default there is none.
  macosSdk ? null,
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

  # Other systems than Linux must be named. For "pure" ones, no C can be compiled.
  releasePlatforms = let
    all = import ./release-platforms.nix {
      inherit glibc libraries;
      hasMacosSdk = macosSdk != null;
      platforms = rows;
    };
    isNamed = row: platforms != null && elem row.oci platforms;
    isReleased = row:
      if isNamed row && row.go.GOOS == "darwin" && row.link == "pure"
      then throw "mkRelease: programs in C cannot be compiled for ${row.oci} without Apple's SDK; name the SDK with the argument macosSdk (docs/release.md)"
      else row.link != "pure" && (row ? libc || isNamed row);
  in
    listToAttrs (map (name: {
      inherit name;
      value = all.${name};
    }) (filter (name: isReleased all.${name}) (attrNames all)));
in {
  lib = {
    inherit releasePlatforms;
    release = {inherit description homepage license name;};
  };
  packages = mapAttrs (_: slipway: let
    releaseTargets = slipway.releaseTargetsWith {inherit macosSdk;};
    released = row:
      if row.link == "portable"
      then
        build slipway.targets.${row.target} (slipway.targets.${row.target}.portable {
          inherit name;
          inherit (row) glibc libraries;
        })
      else build releaseTargets.${row.target} {};
  in
    listToAttrs (map (name: {
      name = "release-${name}";
      value = released releasePlatforms.${name};
    }) (attrNames releasePlatforms)))
  slipways;
}
