# Returns checks of programs for release files, an attribute set of derivations: on the platforms that no image has, and
# with shared libraries.
{
  # function: make-check.nix
  check,
  # attribute set: the packages of each example, by the example's name
  examples,
  # attribute set: default.nix for the build machine
  slipway,
}: let
  inherit (builtins) concatMap head listToAttrs replaceStrings split;

  releasePlatforms = import ../release-platforms.nix {
    inherit (slipway) platforms;
    glibc = "2.28";
  };
  # The SDK is a stand-in with just what the programs use.
  targets = slipway.releaseTargetsWith {macosSdk = ./macos-sdk;};
  # string: the program that runs modules of WebAssembly
  wasmedge = "${slipway.debs.wasmedge.${slipway.buildPlatform.debian}.wasmedge}/bin/wasmedge";

  # Returns a check named release-LANGUAGE-ROW, where ROW is a row of release-platforms.nix.
  prove = language: row: {
    # string: name of the program, without an ending
    name,
    package,
    # path: what it prints
    expected ? "",
    # string: the program that runs it, or ""
    emulator ? "",
    # attribute set: further environment variables of the check
    environment ? {},
  }: {
    name = "release-${language}-${row}";
    value = check name ./release.sh ({
        inherit emulator expected package;
        machine = releasePlatforms.${row}.go.GOARCH;
        os = head (split "/" releasePlatforms.${row}.oci);
        # of Windows, for the end-to-end tests
        library =
          if row == "windows-amd64"
          then compiled row "$CC -shared random.c -ladvapi32" "bcryptprimitives.dll"
          else "";
      }
      // environment);
  };

  # Returns a derivation with a file in bin/ that a command makes.
  compiled = row: command: file: let
    inherit (targets.${releasePlatforms.${row}.target}) stdenv;
  in
    stdenv.mkDerivation {
      name = "proof";
      src = ./release;
      buildPhase = "${command} -o ${file}";
      installPhase = "mkdir -p $out/bin; cp ${file} $out/bin";
    };
  suffixOf = row: targets.${releasePlatforms.${row}.target}.platform.executable or "";

  ofC = row: emulator:
    prove "c" row {
      inherit emulator;
      name = "proof";
      expected = ./release/expected-c;
      package = compiled row "$CC -O2 main.c -lm" "proof${suffixOf row}";
    };
  ofGo = row: emulator:
    prove "go" row {
      inherit emulator;
      name = "rows";
      expected = ../../examples/go-sqlite/expected;
      package = examples.go-sqlite."release-${row}";
    };
  # Returns the check of a program that calls a function of a framework of macOS.
  ofFramework = language: row: libraries: command: let
    target = targets.${releasePlatforms.${row}.target};
  in
    prove "framework-${language}" row {
      name = "proof";
      environment = {
        undefined = "_CFAbsoluteTimeGetCurrent (from CoreFoundation)";
        neededLibraries = ["/System/Library/Frameworks/CoreFoundation.framework/Versions/A/CoreFoundation"] ++ map (name: "/usr/lib/${name}.dylib") libraries;
      };
      package = (compiled row command "proof").overrideAttrs (_:
        if language == "rust"
        then {
          inherit (target.cargoEnvironment) SDKROOT;
          nativeBuildInputs = [target.rusts.rustc];
        }
        else {});
    };
  ofRust = row: emulator:
    prove "rust" row {
      inherit emulator;
      name = "checksum";
      expected = ../../examples/rust/expected;
      package = examples.rust."release-${row}";
    };

  # Returns the check of an example whose program needs a shared library of its own.
  ofLibrary = example: name: architecture: let
    platform = slipway.platforms.${architecture};
    row = replaceStrings ["/"] ["-"] platform.oci;
  in
    prove example row {
      inherit name;
      emulator = slipway.emulatorOf architecture;
      environment = {
        libc = "${slipway.debs.libraries.${platform.debian}.libc6}/lib/${platform.gnu}";
        inherit (platform) interpreter loader;
      };
      expected = ../../examples + "/${example}/expected";
      package = examples.${example}."release-${row}";
    };
in
  listToAttrs (
    concatMap (architecture: [
      (ofLibrary "c-autotools" "roundtrip" architecture)
      (ofLibrary "c-cmake" "checksum" architecture)
    ]) ["aarch64" "x86_64"]
    ++ concatMap ({
      emulator ? "",
      row,
    }: [(ofC row emulator) (ofGo row emulator) (ofRust row emulator)]) [
      {
        row = "linux-amd64-musl";
        emulator = slipway.emulatorOf "x86_64";
      }
      {
        row = "linux-arm64-musl";
        emulator = slipway.emulatorOf "aarch64";
      }
      {row = "windows-amd64";}
    ]
    ++ [
      (ofFramework "c" "darwin-amd64" ["libSystem.B"] "$CC -O2 framework.c -framework CoreFoundation")
      (ofFramework "c" "darwin-arm64" ["libSystem.B"] "$CC -O2 framework.c -framework CoreFoundation")
      (ofFramework "cxx" "darwin-arm64" ["libSystem.B" "libc++.1"] "$CXX -O2 framework.cpp -framework CoreFoundation")
      # The stand-in does not list the functions that Rust's standard library calls.
      (ofFramework "rust" "darwin-arm64" ["libSystem.B"] "rustc --edition 2024 --target aarch64-apple-darwin -C linker=$CC -C link-arg=-Wl,-undefined,dynamic_lookup framework.rs")
      (ofRust "darwin-arm64" "")
      (ofRust "wasip1-wasm" wasmedge)
      (prove "cxx" "windows-amd64" {
        name = "proof";
        expected = ./release/expected-cxx;
        package = compiled "windows-amd64" "$CXX -O2 main.cpp" "proof.exe";
      })
    ]
    ++ map ({
      emulator ? "",
      row,
    }:
      prove "pure-go" row {
        inherit emulator;
        name = "names";
        expected = ../../examples/go/expected;
        package = examples.go."release-${row}";
      }) [
      {row = "freebsd-amd64";}
      {row = "freebsd-arm64";}
      {
        row = "wasip1-wasm";
        emulator = wasmedge;
      }
    ]
  )
