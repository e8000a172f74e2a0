# What `nix flake check` proves, in the sandbox.
{
  # packages of each example, by name
  examples,
  root,
  slipway,
}: let
  inherit (builtins) attrNames attrValues concatLists concatMap filter listToAttrs mapAttrs readDir;
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
          inherit (platform) elfMachine oci;
        }
        // attrs));
  in
    [
      (ofImage "closure" ./checks/closure.sh {exportReferencesGraph = ["closure" program];})
      (ofImage "elf" ./checks/elf.sh {})
      (named "features" (check "features-${platformName}" ./checks/features.sh {inherit librdkafka;}))
      (ofImage "image" ./checks/image.sh {entrypoint = "${program}/bin/reporter";})
      (named "run" (check "run-${platformName}" ./checks/run.sh {
        inherit program;
        emulator = slipway.emulatorOf platformName;
      }))
    ]
    # What makes a build repeatable is the same for all platforms, and this doubles the time of one.
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

  # An example's program, and its image, for each platform that it has.
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
            inherit (targets.${platformName}.platform) elfMachine oci;
          }
          // attrs);
    in [
      (ofImage "closure" ./checks/closure.sh {exportReferencesGraph = ["closure" program];})
      (ofImage "elf" ./checks/elf.sh {})
      (prove "run" ./checks/example.sh {
        emulator = slipway.emulatorOf platformName;
        expected = root + "/examples/${exampleName}/expected";
        program = "${program}/bin/${program.name}";
      })
    ];
  in
    concatMap ofPlatform (filter (name: packages ? "image-${name}") (attrNames targets));
in
  {
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
  }
  // listToAttrs (concatLists (attrValues (mapAttrs ofExample examples)))
  // listToAttrs (concatMap ofPlatform (attrNames targets))
