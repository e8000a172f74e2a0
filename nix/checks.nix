# What `nix flake check` proves, in the sandbox.
{
  root,
  slipway,
}: let
  inherit (builtins) attrNames attrValues concatLists concatMap listToAttrs mapAttrs readDir;
  inherit (slipway) bootstrap reporters targets;
  build = targets.x86_64;
  llvm = slipway.debs.cc.amd64.llvm-19;
  qemu = slipway.debs.emulators.amd64.qemu-user;

  check = name: script: attrs:
    derivation ({
        inherit name;
        args = ["-e" script];
        builder = "${bootstrap}/bin/bash";
        system = "x86_64-linux";
        PATH = "${slipway.pack}/bin:${llvm}/lib/llvm-19/bin:${bootstrap}/bin";
      }
      // attrs);

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

  emulatorOf = platformName:
    if platformName == "x86_64"
    then ""
    else "${qemu}/bin/${targets.${platformName}.platform.qemu}";

  named = name: value: {inherit name value;};

  # An example's program in its image, for each platform.
  ofExample = exampleName: packages: let
    ofPlatform = platformName: let
      name = "example-${exampleName}-${platformName}";
      image = packages."image-${platformName}";
      program = packages."program-${platformName}";
      ofImage = subject: script: attrs:
        named "${name}-${subject}" (check "${name}-${subject}" script ({
            inherit image;
            inherit (targets.${platformName}.platform) elfMachine oci;
          }
          // attrs));
    in [
      (ofImage "closure" ./checks/closure.sh {exportReferencesGraph = ["closure" program];})
      (ofImage "elf" ./checks/elf.sh {})
      (named name (check name ./checks/example.sh {
        emulator = emulatorOf platformName;
        expected = root + "/examples/${exampleName}/expected";
        program = "${program}/bin/${program.name}";
      }))
    ];
  in
    concatMap ofPlatform (attrNames targets);

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
  in [
    (ofImage "closure" ./checks/closure.sh {exportReferencesGraph = ["closure" program];})
    (ofImage "elf" ./checks/elf.sh {})
    (named "features" (check "features-${platformName}" ./checks/features.sh {inherit librdkafka;}))
    (ofImage "image" ./checks/image.sh {entrypoint = "${program}/bin/reporter";})
    (named "rebuild" (check "rebuild-${platformName}" ./checks/rebuild.sh {
      first = [program librdkafka];
      second = [again librdkafka.again];
    }))
    (named "run" (check "run-${platformName}" ./checks/run.sh {
      inherit program;
      emulator = emulatorOf platformName;
    }))
  ];
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
  // listToAttrs (concatMap ofPlatform (attrNames targets))
  // listToAttrs (concatLists (attrValues (mapAttrs ofExample (import ./examples.nix {inherit root slipway;}))))
