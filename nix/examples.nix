# The examples, each as the flake that it is, with this one as its input: their packages by name.
{
  root,
  slipway,
}: let
  inherit (builtins) attrNames listToAttrs map readDir;

  example = name: let
    flake = import (root + "/examples/${name}/flake.nix");
    self = flake.outputs {
      inherit self;
      slipway.lib = import ./lib.nix {inherit slipway;};
    };
  in {
    inherit name;
    value = self.packages.x86_64-linux;
  };
in
  listToAttrs (map example (attrNames (readDir (root + "/examples"))))
