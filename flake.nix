{
  description = "Multi-architecture OCI images of Rust programs with C libraries, from Debian's packages";

  outputs = {self}: let
    slipways = import ./nix/systems.nix {root = ./.;};
    eachSystem = f: builtins.mapAttrs (_: f) slipways;
    release = import ./nix/own-release.nix {
      inherit slipways;
      root = ./.;
    };
    lib = import ./nix/lib.nix {inherit slipways;} // release.lib;
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
    apps = eachSystem (slipway: {
      default = {
        type = "app";
        program = "${self.packages.${slipway.system}.slipway}/bin/slipway";
      };
    });
    formatter = eachSystem (slipway: slipway.formatter);
    overlays.default = final: prev: {
      inherit (self.packages.${prev.stdenv.hostPlatform.system}) slipway;
    };
    packages = eachSystem (slipway:
      import ./nix/packages.nix {
        inherit slipway;
        examples = examplesOf slipway;
        source = self.outPath;
      }
      // release.packages.${slipway.system}
      // import ./nix/own-image.nix {
        inherit slipway;
        programs = release.packages.${slipway.system};
        root = ./.;
      });
    templates.default = {
      description = "OCI images of a cargo workspace's programs";
      path = ./crates/slipway/template;
      welcomeText = "Let `inputs.slipway.url` in flake.nix name your Slipway, then pin the packages: slipway lock";
    };
  };
}
