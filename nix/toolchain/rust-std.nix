# Returns a derivation with Rust's standard library for a target for which Debian has none, compiled from the sources
# of Debian's compiler.
{
  # derivation: static bash and busybox in bin/ (toolchain/bootstrap.nix)
  bootstrap,
  # derivation: the build machine's C compiler (cc.nix)
  buildCc,
  # attribute set: environment variables for cargo (rust/environment.nix)
  cargoEnvironment,
  # derivation: the target's C compiler
  cc,
  # derivation: the Rust toolchain for the build machine, of the same version
  rust,
  # derivation or null: files in lib/ that rustc links with every program
  selfContained,
  # Debian package with the sources of Rust
  source,
  # string: system of the build machine, such as "x86_64-linux"
  system,
}: let
  inherit (builtins) replaceStrings;

  # Only the library. The crates that it needs are in vendor/, but not those of tests, C code and shared libraries.
  library = derivation {
    inherit (source) src;
    inherit system;
    PATH = "${bootstrap}/bin";
    name = "rust-library-${rust.version}";
    args = [
      "-e"
      "-c"
      ''
        dpkg-deb -x "$src" tree
        mv tree/usr/src/rustc-*/library "$out"
        cd "$out"
        rm -rf alloctests coretests
        sed -i '/^ *"\(alloc\|core\)tests",$/d' Cargo.toml
        sed -i '/^\[dev-dependencies/,/^$/d; /^cc = /d; s/"dep:cc"//; s/"dylib", //' */Cargo.toml compiler-builtins/*/Cargo.toml
      ''
    ];
    builder = "${bootstrap}/bin/bash";
  };
in
  derivation (cargoEnvironment
    // {
      inherit library system;
      PATH = "${rust}/bin:${buildCc}/bin:${cc}/bin:${bootstrap}/bin";
      # The compiler that compiles the standard library is allowed unstable features.
      RUSTC_BOOTSTRAP = "1";
      name = "rust-std-${rust.version}-${replaceStrings ["_"] ["-"] cargoEnvironment.CARGO_BUILD_TARGET}";
      args = [
        "-e"
        "-c"
        ''
          cp -r "$library" library
          chmod -R u+w library
          cd library
          export CARGO_HOME=$NIX_BUILD_TOP/cargo CARGO_TARGET_DIR=$NIX_BUILD_TOP/target
          export RUSTFLAGS="-Zforce-unstable-if-unmarked --remap-path-prefix $NIX_BUILD_TOP/library=/rustc/${rust.version}/library"
          export CARGO_PROFILE_DIST_DEBUG=false
          mkdir "$CARGO_HOME"
          printf '[source.crates-io]\nreplace-with = "vendor"\n[source.vendor]\ndirectory = "%s/vendor"\n' "$PWD" >"$CARGO_HOME/config.toml"
          cargo build --profile dist --offline -j "$NIX_BUILD_CORES" --manifest-path std/Cargo.toml --features backtrace,panic-unwind
          lib=$out/lib/rustlib/$CARGO_BUILD_TARGET/lib
          mkdir -p "$lib"
          cp "$CARGO_TARGET_DIR/$CARGO_BUILD_TARGET"/dist/deps/*.rlib "$lib"
          ${
            if selfContained == null
            then ""
            else ''cp -r ${selfContained}/lib "$lib/self-contained"''
          }
        ''
      ];
      builder = "${bootstrap}/bin/bash";
    })
