# Returns the packages of the examples as nested attribute sets, EXAMPLE.PACKAGE. It evaluates each example's
# flake with this flake as the input `slipway`.
{
  # attribute set: lib.nix
  lib,
  # path: root directory of this repository
  root,
  # string: system of the build machine, such as "x86_64-linux"
  system,
}: let
  inherit (builtins) attrNames listToAttrs map readDir;

  directory = root + "/examples";

  packagesOf = name: let
    outputs = (import (directory + "/${name}/flake.nix")).outputs {
      self = outputs;
      slipway = {inherit lib;};
    };
  in
    # An example without packages for this system gets {}.
    outputs.packages.${system} or {};
in
  listToAttrs (map (name: {
      inherit name;
      value = packagesOf name;
    })
    (attrNames (readDir directory)))
