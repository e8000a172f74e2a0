# All that there is for one target platform: compiler, build environment, libraries, Rust.
{
  bash,
  bootstrap,
  buildPlatform,
  # what this file gives for the build machine, or null if that is the target
  buildTarget,
  crateOf,
  debs,
  patchelf,
  platform,
  platformName,
  seeds,
  system,
}: let
  build =
    if buildTarget == null
    then own
    else buildTarget;
  libraries = debs.libraries.${platform.debian};
  # what runs on the build machine
  tools = builtins.mapAttrs (_: set: set.${buildPlatform.debian}) debs;
  # a project's own lock may be without it
  libstdcxx =
    libraries."libstdc++6"
    or (throw "slipway.lock has no libstdc++6 for ${platform.debian}, which C++ needs; add it to the set libraries in slipway.toml and run: slipway lock");

  cc = import ./toolchain/cc.nix {
    inherit bootstrap libraries platform platformName sysroot system;
    debs = tools.cc;
  };
  pkg-config = import ./toolchain/pkg-config.nix {
    inherit bootstrap platform platformName system;
    debs = tools.cc;
  };
  rust = rusts.rustc;
  # Debian's two Rusts, by their packages' names: the release's own, and the newer one that browsers are built with.
  rusts = {
    rustc = import ./toolchain/rust.nix {
      inherit bootstrap system;
      inherit (tools.rust) cargo rustc rustfmt;
      clippy = tools.rust.rust-clippy;
      standardLibraries = [tools.sysroot.libstd-rust-dev debs.sysroot.${platform.debian}.libstd-rust-dev];
    };
    rustc-web = import ./toolchain/rust.nix {
      inherit bootstrap system;
      cargo = tools.rust-web.cargo-web;
      clippy = tools.rust-web.rust-web-clippy;
      rustc = tools.rust-web.rustc-web;
      rustfmt = tools.rust-web.rustfmt-web;
      standardLibraries = [tools.sysroot-web.libstd-rust-web-dev debs.sysroot-web.${platform.debian}.libstd-rust-web-dev];
    };
  };
  cxx = import ./toolchain/cxx.nix {
    inherit bootstrap cc libstdcxx platform platformName system;
    sysroot = sysrootOf {cxx = true;};
  };
  stdenv = import ./toolchain/stdenv.nix {
    inherit bootstrap buildPlatform cc cxx libraries libstdcxx patchelf pkg-config platform platformName system;
    buildCc = build.cc;
    buildCxx = build.cxx;
    debs = tools.cc;
  };
  sysroot = sysrootOf {};
  sysrootOf = args:
    import ./toolchain/sysroot.nix ({
        inherit bootstrap system;
        debs = debs.sysroot.${platform.debian};
      }
      // args);

  # What builds use beside the compiler, once they ask for it.
  withShell = import ./toolchain/shell.nix {
    inherit bootstrap patchelf system;
    inherit (build) cc;
    platform = buildPlatform;
  };
  autoreconfHook = import ./toolchain/autotools.nix {
    inherit bootstrap perl system withShell;
    debs = tools.autotools;
  };
  bindgenHook = import ./toolchain/bindgen.nix {
    inherit bootstrap buildPlatform cxx platform;
    buildCxx = build.cxx;
    clang = tools.cc.libclang-common-19-dev;
    debs = tools.bindgen;
  };
  cmake = import ./toolchain/cmake.nix {
    inherit bootstrap buildPlatform cxx ninja platform system;
    debs = tools.cmake;
  };
  meson = import ./toolchain/meson.nix {
    inherit bootstrap buildPlatform ninja platform python system;
    debs = tools.meson;
  };
  ninja = withShell {
    package = tools.ninja.ninja-build;
    program = "ninja";
  };
  perl = import ./toolchain/perl.nix {
    inherit bootstrap system withShell;
    debs = tools.autotools;
  };
  protoc = import ./toolchain/protoc.nix {
    inherit bootstrap system;
    debs = tools.protoc;
  };
  python = import ./toolchain/python.nix {
    inherit bootstrap patchelf system;
    debs = tools.meson;
  };

  librdkafka = import ./packages/librdkafka.nix {
    inherit libraries stdenv;
    inherit (crateOf "rdkafka-sys") crate version;
  };

  cargoEnvironment = import ./rust/environment.nix {inherit buildPlatform platform;};
  buildRust = import ./build-rust.nix {inherit bash bootstrap cargoEnvironment rust seeds stdenv system;};
  buildWorkspace = import ./build-workspace.nix {
    inherit bash bootstrap cargoEnvironment libraries seeds stdenv system;
    make = import ./toolchain/make.nix {
      inherit bootstrap system;
      debs = tools.cc;
    };
    patchShebangs = import ./toolchain/patch-shebangs.nix {inherit bootstrap system;};
  };

  own = {
    inherit
      autoreconfHook
      bindgenHook
      buildRust
      buildWorkspace
      cargoEnvironment
      cc
      cmake
      cxx
      libraries
      librdkafka
      meson
      ninja
      perl
      pkg-config
      platform
      protoc
      python
      rust
      rusts
      stdenv
      ;
  };
in
  own
