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
  # what runs on the build machine
  tools = builtins.mapAttrs (_: set: set.${buildPlatform.debian}) debs;

  cc = import ./toolchain/cc.nix {
    inherit bootstrap libraries platform platformName sysroot system;
    debs = tools.cc;
  };
  pkg-config = import ./toolchain/pkg-config.nix {
    inherit bootstrap platform platformName system;
    debs = tools.cc;
  };
  rust = import ./toolchain/rust.nix {
    inherit bootstrap system;
    debs = tools.rust;
    standardLibraries = [tools.sysroot.libstd-rust-dev debs.sysroot.${platform.debian}.libstd-rust-dev];
  };
  stdenv = import ./toolchain/stdenv.nix {
    inherit bootstrap buildPlatform cc libraries patchelf pkg-config platform platformName system;
    buildCc =
      if buildCc == null
      then cc
      else buildCc;
    debs = tools.cc;
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
in {inherit buildRust cargoEnvironment cc libraries librdkafka pkg-config platform rust stdenv;}
