{
  description = "Multi-architecture OCI images of Rust programs with C libraries, from Debian's packages";

  # Nothing is fetched here, so no name need be looked up: `nix develop` starts at once, offline too.
  nixConfig.flake-registry = ./nix/registry.json;

  outputs = {self}: let
    slipways = import ./nix/systems.nix {root = ./.;};
    eachSystem = f: builtins.mapAttrs (_: f) slipways;
    lib = import ./nix/lib.nix {inherit slipways;};
    examplesOf = slipway:
      import ./nix/examples.nix {
        inherit lib;
        inherit (slipway) system;
        root = ./.;
      };
  in {
    inherit lib;
    checks = eachSystem (slipway:
      import ./nix/checks.nix {
        inherit slipway;
        examples = examplesOf slipway;
        root = ./.;
      });
    devShells = eachSystem (slipway: import ./nix/shells.nix {inherit slipway;});
    formatter = eachSystem (slipway: slipway.formatter);
    packages = eachSystem (slipway:
      import ./nix/packages.nix {
        inherit slipway;
        examples = examplesOf slipway;
        source = self.outPath;
      });
    templates.default = {
      description = "OCI images of a cargo workspace's programs";
      path = ./crates/slipway/template;
      welcomeText = "Let `inputs.slipway.url` in flake.nix name your Slipway, then pin the packages: slipway lock";
    };
  };
}
