# Returns default.nix for each build machine, as an attribute set by system, such as "x86_64-linux".
{
  # path: root directory of this repository
  root,
}: let
  inherit (builtins) attrValues filter listToAttrs map;
in
  listToAttrs (map
    (platform: {
      name = platform.nix;
      value = import ./. {
        inherit root;
        system = platform.nix;
      };
    })
    (filter (platform: platform.builds) (attrValues (import ./platforms.nix))))
