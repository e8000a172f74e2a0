# Returns the checks of `nix flake check`, an attribute set of derivations.
{
  # attribute set: the packages of each example, by the example's name
  examples,
  # path: root directory of this repository
  root,
  # attribute set: default.nix for the build machine
  slipway,
}: let
  inherit (builtins) attrNames attrValues concatLists concatMap filter listToAttrs mapAttrs pathExists readDir;
  inherit (slipway) build check reporters targets;

  cargo = name: args:
    build.buildRust ({
        inherit name root;
        packages = attrNames (readDir (root + "/crates"));
        buildInputs = [build.librdkafka.dev];
        cxx = false;
        dev = true;
        installPhase = "touch $out";
        CARGO_PROFILE_DEV_DEBUG = "0";
      }
      // args);

  ofPlatform = platformName: let
    inherit (targets.${platformName}) librdkafka platform;
    inherit (reporters.${platformName}) again image program;
    named = name: value: {
      name = "${name}-${platformName}";
      inherit value;
    };
    ofImage = name: script: attrs:
      named name (check "${name}-${platformName}" script ({
          inherit image;
          inherit (platform) oci;
        }
        // attrs));
  in
    [
      (ofImage "closure" ./checks/closure.sh {exportReferencesGraph = image.graphs;})
      (ofImage "elf" ./checks/elf.sh {})
      (named "features" (check "features-${platformName}" ./checks/features.sh {inherit librdkafka;}))
      (named "go" (check "go-${platformName}" ./checks/go.sh {
        emulator = slipway.emulatorOf platformName;
        expected = "${platform.go.GOARCH} ${platform.endian} ${
          if platform.endian == "little"
          then "true"
          else "false"
        } true";
        program = targets.${platformName}.buildGo {
          name = "platform";
          src = ./checks/go;
          locked = {
            cgo = true;
            imports = ["encoding/binary" "fmt" "math/bits" "runtime"];
          };
        };
      }))
      (ofImage "image" ./checks/image.sh {entrypoint = "${program}/bin/reporter";})
      (named "run" (check "run-${platformName}" ./checks/run.sh {
        inherit program;
        emulator = slipway.emulatorOf platformName;
      }))
      (named "toolchain" (targets.${platformName}.stdenv.mkDerivation {
        inherit (platform) pageSize;
        name = "toolchain-${platformName}";
        emulator = slipway.emulatorOf platformName;
        nativeBuildInputs = [targets.${platformName}.rust];
        phases = "prove";
        provePhase = "source ${./checks/toolchain.sh}";
        rustTarget = platform.rust;
      }))
    ]
    # The rebuild check builds everything twice. It runs only for the default platforms, because the causes of
    # irreproducible builds are the same on all platforms.
    ++ (
      if platform.default
      then [
        (named "rebuild" (check "rebuild-${platformName}" ./checks/rebuild.sh {
          first = [program librdkafka];
          second = [again librdkafka.again];
        }))
      ]
      else []
    );

  # Returns the checks of an example's program and image, for each platform of the example.
  ofExample = exampleName: packages: let
    ofPlatform = platformName: let
      image = packages."image-${platformName}";
      program = packages."program-${platformName}";
      prove = subject: script: attrs: let
        name = "example-${exampleName}-${subject}-${platformName}";
      in {
        inherit name;
        value = check name script attrs;
      };
      ofImage = subject: script: attrs:
        prove subject script ({
            inherit image;
            inherit (targets.${platformName}.platform) oci;
          }
          // attrs);
    in
      [
        (ofImage "closure" ./checks/closure.sh {exportReferencesGraph = image.graphs;})
        (ofImage "elf" ./checks/elf.sh {})
      ]
      # What needs more than itself is run by the end-to-end tests.
      ++ (
        if pathExists expected
        then [
          (prove "run" ./checks/example.sh {
            inherit expected;
            emulator = slipway.emulatorOf platformName;
            program = "${program}/bin/${program.name}";
          })
        ]
        else []
      );
    expected = root + "/examples/${exampleName}/expected";
  in
    concatMap ofPlatform (filter (name: packages ? "image-${name}") (attrNames targets));
  # Formatting, lints and unit tests.
  fast = {
    clippy = cargo "clippy" {
      cargoCommand = "clippy --all-targets";
      cargoArguments = "-- -D warnings";
      CLIPPY_CONF_DIR = builtins.path {
        name = "clippy-configuration";
        path = root;
        filter = file: _: baseNameOf file == "clippy.toml";
      };
    };

    format-nix = check "format-nix" ./checks/format-nix.sh {
      inherit (slipway) formatter;
      files = [../examples ../flake.nix ../nix];
    };

    format-rust = check "format-rust" ./checks/format-rust.sh {
      inherit (build) rust;
      crates = ../crates;
    };

    test = cargo "test" {
      cargoCommand = "test";
      cargoDependenciesCommand = "test --no-run";
    };
  };
in
  fast
  // {
    debian-packages = import ./checks/debian-packages.nix {
      inherit (slipway) deb;
      target = build;
    };

    # All fast checks at once: nix build .#checks.SYSTEM.fast
    fast = check "fast" ./checks/fast.sh {checks = attrValues fast;};

    foreign-package = import ./checks/foreign-package.nix {
      inherit check;
      inherit (slipway) image;
      target = targets.aarch64;
    };

    image-contents = import ./checks/image-contents.nix {
      inherit check;
      inherit (slipway) image;
      target = targets.aarch64;
    };

    runtime-files = import ./checks/runtime-files.nix {
      inherit (slipway) bootstrap system;
      target = build;
    };

    tools = import ./checks/tools.nix {
      inherit (slipway) bootstrap system;
      inherit (build) stdenv;
    };
  }
  // import ./checks/debug-info.nix {inherit check root targets;}
  // import ./checks/releases.nix {inherit check examples slipway;}
  // listToAttrs (concatLists (attrValues (mapAttrs ofExample examples)))
  // listToAttrs (concatMap ofPlatform (attrNames targets))
