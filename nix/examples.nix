# The examples, each as the flake that it is, with this one as its input: their packages by name.
{
  lib,
  root,
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
    # those that are not in Rust name the machine that they are built on
    outputs.packages.${system} or {};
in
  listToAttrs (map (name: {
      inherit name;
      value = packagesOf name;
    })
    (attrNames (readDir directory)))
