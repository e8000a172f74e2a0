# Returns the attribute set lib.targets.PLATFORM: compilers, build environment, libraries, programs for builds
# and Rust, for one target. Each attribute is described in the file that it is imported from.
{
  # derivation: the static bash executable
  bash,
  # derivation: static bash and busybox in bin/ (toolchain/bootstrap.nix)
  bootstrap,
  # the build machine's row of platforms.nix
  buildPlatform,
  # attribute set or null: the result of this file for the build machine; null if the target is the build
  # machine
  buildTarget,
  # function from the name of a crate in this repository's Cargo.lock to { crate, version }; `crate` is a seed
  crateOf,
  # attribute set: Debian packages, SET.ARCHITECTURE.NAME (toolchain/locked-packages.nix)
  debs,
  # attribute set: `go` of this repository's slipway.lock, with the default toolchain
  goDefault,
  # derivation: Debian's go
  golang,
  # derivation: toolchain/patchelf.nix
  patchelf,
  # attribute set: Debian packages for the build machine from a project's slipway.lock, by name
  pinnedTools,
  # the target's row of platforms.nix
  platform,
  # string: name of that row
  platformName,
  # attribute set: the functions of seeds.nix
  seeds,
  # string: system of the build machine, such as "x86_64-linux"
  system,
}: let
  build =
    if buildTarget == null
    then own
    else buildTarget;
  libraries = debs.libraries.${platform.debian};
  # Debian packages for the build machine, SET.NAME
  ownTools = builtins.mapAttrs (_: set: set.${buildPlatform.debian}) debs;
  # A project's slipway.lock can lack this package.
  libstdcxx =
    libraries."libstdc++6"
    or (throw "slipway.lock has no libstdc++6 for ${platform.debian}, which C++ needs; add it to the set libraries in slipway.toml and run: slipway lock");

  cc = import ./toolchain/cc.nix {
    inherit bootstrap libraries platform platformName sysroot system;
    debs = ownTools.cc;
  };
  pkg-config = import ./toolchain/pkg-config.nix {
    inherit bootstrap platform platformName system;
    debs = ownTools.cc;
  };
  rust = rusts.rustc;
  # attribute set: Debian's two Rust toolchains, by the package of the compiler. rustc is the release's
  # version; rustc-web is newer, and Debian builds browsers with it.
  rusts = {
    rustc = import ./toolchain/rust.nix {
      inherit bootstrap system;
      inherit (ownTools.rust) cargo rustc rustfmt;
      clippy = ownTools.rust.rust-clippy;
      standardLibraries = [ownTools.sysroot.libstd-rust-dev debs.sysroot.${platform.debian}.libstd-rust-dev];
    };
    rustc-web = import ./toolchain/rust.nix {
      inherit bootstrap system;
      cargo = ownTools.rust-web.cargo-web;
      clippy = ownTools.rust-web.rust-web-clippy;
      rustc = ownTools.rust-web.rustc-web;
      rustfmt = ownTools.rust-web.rustfmt-web;
      standardLibraries = [ownTools.sysroot-web.libstd-rust-web-dev debs.sysroot-web.${platform.debian}.libstd-rust-web-dev];
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
    debs = ownTools.cc;
  };
  sysroot = sysrootOf {};
  sysrootOf = args:
    import ./toolchain/sysroot.nix ({
        inherit bootstrap system;
        debs = debs.sysroot.${platform.debian};
      }
      // args);

  # function from { glibc }: attributes of a build whose programs run on other Linux systems
  portable = import ./toolchain/portable.nix {
    inherit bootstrap cc platform platformName system;
    libc = libraries.libc6;
  };

  # derivation: the gconv modules of the C library, which few programs need
  gconv = derivation {
    inherit system;
    inherit (libraries.libc6) src;
    PATH = "${bootstrap}/bin";
    name = "gconv-${libraries.libc6.name}";
    args = ["-e" "-c" ''dpkg-deb -x "$src" tree; mkdir -p $out/lib/${platform.gnu}; cp -r tree/usr/lib/${platform.gnu}/gconv $out/lib/${platform.gnu}''];
    builder = "${bootstrap}/bin/bash";
  };

  # Programs that a build uses if they are in its nativeBuildInputs.
  withShell = import ./toolchain/sh-shim.nix {
    inherit bootstrap patchelf system;
    inherit (build) cc;
    platform = buildPlatform;
  };
  autoreconfHook = import ./toolchain/autotools.nix {
    inherit bootstrap perl system withShell;
    debs = ownTools.autotools;
  };
  bindgenHook = import ./toolchain/bindgen.nix {
    inherit bootstrap buildPlatform cxx platform;
    buildCxx = build.cxx;
    clang = ownTools.cc.libclang-common-19-dev;
    debs = ownTools.bindgen;
  };
  cmake = import ./toolchain/cmake.nix {
    inherit bootstrap buildPlatform cxx ninja platform system;
    debs = ownTools.cmake;
  };
  meson = import ./toolchain/meson.nix {
    inherit bootstrap buildPlatform ninja platform python system;
    debs = ownTools.meson;
  };
  ninja = withShell {
    package = ownTools.ninja.ninja-build;
    program = "ninja";
  };
  perl = import ./toolchain/perl.nix {
    inherit bootstrap system withShell;
    debs = ownTools.autotools;
  };
  protoc = import ./toolchain/protoc.nix {
    inherit bootstrap system;
    debs = ownTools.protoc;
  };
  python = import ./toolchain/python.nix {
    inherit bootstrap patchelf system;
    debs = ownTools.meson;
  };

  librdkafka = import ./packages/librdkafka.nix {
    inherit libraries stdenv;
    inherit (crateOf "rdkafka-sys") crate version;
  };

  cargoEnvironment = import ./rust/environment.nix {inherit buildPlatform platform;};
  buildGo = import ./build-go.nix {
    inherit bash bootstrap buildPlatform golang seeds stdenv system;
    default = goDefault;
  };
  goEnvironment = import ./go/environment.nix {inherit (platform) go;};
  buildRust = import ./build-rust.nix {inherit bash bootstrap cargoEnvironment rust seeds stdenv system;};
  buildWorkspace = import ./build-workspace.nix {
    inherit bash bootstrap cargoEnvironment libraries make patchShebangs seeds stdenv system;
  };

  make = import ./toolchain/make.nix {
    inherit bootstrap system;
    debs = ownTools.cc;
  };
  patchShebangs = import ./toolchain/patch-shebangs.nix {inherit bootstrap system;};

  own = {
    inherit
      autoreconfHook
      bindgenHook
      buildGo
      buildRust
      buildWorkspace
      cargoEnvironment
      cc
      cmake
      cxx
      gconv
      goEnvironment
      libraries
      librdkafka
      make
      meson
      ninja
      patchShebangs
      perl
      pkg-config
      platform
      portable
      protoc
      python
      rust
      rusts
      stdenv
      sysroot
      ;
    tools =
      {inherit autoreconfHook bindgenHook cmake meson ninja perl protoc python;}
      // import ./toolchain/tools.nix {inherit bootstrap system;} pinnedTools;
  };
in
  own
