{
  description = "Multi-architecture OCI images of Rust programs with C libraries, from Debian's packages";

  # Nothing is fetched here, so no name need be looked up: `nix develop` starts at once, offline too.
  nixConfig.flake-registry = ./nix/registry.json;

  outputs = {self}: let
    slipway = import ./nix {root = ./.;};
  in {
    checks.x86_64-linux = import ./nix/checks.nix {
      inherit slipway;
      root = ./.;
    };
    devShells.x86_64-linux = import ./nix/shells.nix {inherit slipway;};
    formatter.x86_64-linux = slipway.formatter;
    lib = import ./nix/lib.nix {inherit slipway;};
    packages.x86_64-linux = import ./nix/packages.nix {inherit slipway;};
  };
}
