# What `nix flake check` proves, in the sandbox.
{
  root,
  slipway,
}: let
  inherit (builtins) attrNames concatMap listToAttrs readDir;
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
      emulator =
        if platformName == "x86_64"
        then ""
        else "${qemu}/bin/${platform.qemu}";
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
      files = [../flake.nix ../nix];
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
