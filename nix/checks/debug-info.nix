# Returns checks of the debug information that programs have in an output of their own, an attribute set of
# derivations.
{
  # function: make-check.nix
  check,
  # path: root directory of this repository
  root,
  # attribute set: target.nix for each platform, by name
  targets,
}: let
  inherit (builtins) concatMap listToAttrs;

  prove = language: platformName: {
    # derivation: a program, with the output `debug`
    program,
    # list of strings: functions of the program, and the source file of each
    functions,
  }: let
    name = "debug-info-${language}-${platformName}";
  in {
    inherit name;
    value = check name ./debug-info.sh {
      inherit functions program;
      inherit (program) debug;
    };
  };

  ofPlatform = platformName: let
    target = targets.${platformName};
  in [
    (prove "rust" platformName {
      program = target.buildRust {
        root = root + "/examples/rust-cpp";
        packages = ["sorted"];
        separateDebugInfo = true;
      };
      functions = ["sorted::main" "main.rs" "sorted" "sorted.cpp"];
    })
    (prove "go" platformName {
      program = target.buildGo {
        name = "platform";
        src = ./go;
        locked = {
          cgo = true;
          imports = ["encoding/binary" "fmt" "math/bits" "runtime"];
        };
        separateDebugInfo = true;
      };
      functions = ["main.main" "main.go"];
    })
  ];
in
  listToAttrs (concatMap ofPlatform ["aarch64" "x86_64"])
