# The examples whose flakes call `lib` themselves, with this flake as their input: their packages by name.
{
  lib,
  root,
  system,
}: let
  inherit (builtins) attrNames filter listToAttrs map pathExists readDir;

  directory = root + "/examples";
  # Those with pins of their own are whole projects.
  names = filter (name: !pathExists (directory + "/${name}/slipway.toml")) (attrNames (readDir directory));

  packagesOf = name: let
    outputs = (import (directory + "/${name}/flake.nix")).outputs {
      self = outputs;
      slipway = {inherit lib;};
    };
  in
    outputs.packages.${system};
in
  listToAttrs (map (name: {
      inherit name;
      value = packagesOf name;
    })
    names)
