# The projects in examples/ that are cargo workspaces, as their own flakes make them, and that they run.
{
  root,
  slipway,
  system,
}: let
  inherit (builtins) attrNames concatMap filter listToAttrs map pathExists readDir;

  names = filter (name: pathExists (root + "/examples/${name}/slipway.toml")) (attrNames (readDir (root + "/examples")));

  ofExample = name: let
    dir = root + "/examples/${name}";
    outputs = (import (dir + "/flake.nix")).outputs {
      self = dir;
      slipway.lib = import ./lib.nix {inherit slipway;};
    };
    packages = outputs.packages.${system};
    checks = outputs.checks.${system};
    run = platformName:
      slipway.check "run-${name}-${platformName}" ./checks/example.sh {
        emulator = slipway.emulatorOf platformName;
        expected = dir + "/expected";
        inherit (packages."image-${platformName}") program;
      };
  in
    [
      {
        name = "example-${name}";
        value = packages.image;
      }
    ]
    ++ map (check: {
      name = "example-${name}-${check}";
      value = checks.${check};
    }) (attrNames checks)
    ++ map (platformName: {
      name = "example-${name}-run-${platformName}";
      value = run platformName;
    }) (attrNames outputs.lib.platforms);
in
  listToAttrs (concatMap ofExample names)
