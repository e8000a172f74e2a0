# Everything that this flake makes, on each machine that builds: by Nix's name of the system.
{root}: let
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
