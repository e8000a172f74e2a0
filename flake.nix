{
  description = "Multi-architecture OCI images of Rust programs with C libraries, from Debian's packages";

  # Nothing is fetched here, so no name need be looked up: `nix develop` starts at once, offline too.
  nixConfig.flake-registry = ./nix/registry.json;

  outputs = {self}: let
    slipways = import ./nix/systems.nix {root = ./.;};
    eachSystem = f: builtins.mapAttrs (_: f) slipways;
  in {
    checks = eachSystem (slipway:
      import ./nix/checks.nix {
        inherit slipway;
        root = ./.;
      });
    devShells = eachSystem (slipway: import ./nix/shells.nix {inherit slipway;});
    formatter = eachSystem (slipway: slipway.formatter);
    lib = import ./nix/lib.nix {inherit slipways;};
    packages = eachSystem (slipway: import ./nix/packages.nix {inherit slipway;});
  };
}
