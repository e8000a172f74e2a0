# All that there is for one target platform: compiler, build environment, libraries, Rust.
{
  bash,
  bootstrap,
  buildCc,
  buildPlatform,
  crateOf,
  debs,
  patchelf,
  platform,
  platformName,
  seeds,
  system,
}: let
  libraries = debs.libraries.${platform.debian};

  cc = import ./toolchain/cc.nix {
    inherit bootstrap libraries platform platformName sysroot system;
    debs = debs.cc.amd64;
  };
  pkg-config = import ./toolchain/pkg-config.nix {
    inherit bootstrap platform platformName system;
    debs = debs.cc.amd64;
  };
  rust = rusts.rustc;
  # Debian's two Rusts, by their packages' names: the release's own, and the newer one that browsers are built with.
  rusts = {
    rustc = import ./toolchain/rust.nix {
      inherit bootstrap system;
      inherit (debs.rust.amd64) cargo rustc rustfmt;
      clippy = debs.rust.amd64.rust-clippy;
      standardLibraries = [debs.sysroot.amd64.libstd-rust-dev debs.sysroot.${platform.debian}.libstd-rust-dev];
    };
    rustc-web = import ./toolchain/rust.nix {
      inherit bootstrap system;
      cargo = debs.rust-web.amd64.cargo-web;
      clippy = debs.rust-web.amd64.rust-web-clippy;
      rustc = debs.rust-web.amd64.rustc-web;
      rustfmt = debs.rust-web.amd64.rustfmt-web;
      standardLibraries = [debs.sysroot-web.amd64.libstd-rust-web-dev debs.sysroot-web.${platform.debian}.libstd-rust-web-dev];
    };
  };
  stdenv = import ./toolchain/stdenv.nix {
    inherit bootstrap cc libraries patchelf pkg-config platform platformName system;
    buildCc =
      if buildCc == null
      then cc
      else buildCc;
    debs = debs.cc.amd64;
  };
  sysroot = import ./toolchain/sysroot.nix {
    inherit bootstrap system;
    debs = debs.sysroot.${platform.debian};
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
      debs = debs.cc.amd64;
    };
  };
in {inherit buildRust buildWorkspace cargoEnvironment cc libraries librdkafka pkg-config platform rust rusts stdenv;}
