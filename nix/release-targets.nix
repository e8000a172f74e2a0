# Returns the targets whose programs are only for release files, as an attribute set by name: Linux with musl, macOS,
# WebAssembly and Windows. Each has the attributes of lib.targets.PLATFORM (target.nix) that builds use, but no libraries: what
# programs need besides the C library, they compile themselves.
{
  # derivation: the static bash executable
  bash,
  # derivation: static bash and busybox in bin/ (toolchain/bootstrap.nix)
  bootstrap,
  # the build machine's row of platforms.nix
  buildPlatform,
  # the build machine's entry of `targets`
  buildTarget,
  # attribute set: Debian packages, SET.ARCHITECTURE.NAME (toolchain/locked-packages.nix)
  debs,
  # attribute set: `go` of this repository's slipway.lock, with the default toolchain
  goDefault,
  # derivation: Debian's go
  golang,
  # path, flake input or derivation: Apple's SDK for macOS (toolchain/macos-sdk.nix). null if there is none
  macosSdk ? null,
  # derivation: toolchain/patchelf.nix
  patchelf,
  # attribute set: Debian packages for the build machine from a project's slipway.lock, by name
  pinnedTools,
  # attribute set: platforms.nix
  platforms,
  # attribute set: the functions of seeds.nix
  seeds,
  # string: system of the build machine, such as "x86_64-linux"
  system,
  # attribute set: target.nix for each platform, by name
  targets,
}: let
  inherit (builtins) attrNames head listToAttrs map mapAttrs replaceStrings split;

  # Debian packages for the build machine, SET.NAME
  tools = mapAttrs (_: set: set.${buildPlatform.debian}) debs;

  # Returns a target.
  targetOf = platformName: {
    # attribute set: further environment variables of cargo
    environment ? {},
    # bool: whether the sysroot has a C++ library
    hasCxx ? false,
    # string: lines of bash that change the compiler's arguments, the array `args`
    link,
    # attribute set: the row. It has the fields of platforms.nix, of which those of images mean nothing, and:
    #   executable  string: ends the file names of programs, if they have an ending
    #   libc        string: name of the C library
    #   linker      string: name of lld, if it is not the one for ELF
    #   os          string: name of the system, if it is not Linux
    platform,
    # derivation or null: files in lib/ that rustc links with every program
    selfContained ? null,
    # derivation or store path: C library and headers of the target
    sysroot,
    # derivation or null: the Rust toolchain, if that of another target will do
    toolchain ? null,
  }: let
    cc = import ./toolchain/foreign-cc.nix {
      inherit bootstrap hasCxx link platform platformName sysroot system;
      debs = tools.cc;
    };
    cargoEnvironment = import ./rust/environment.nix {inherit buildPlatform platform;} // environment;
    pkg-config = import ./toolchain/pkg-config.nix {
      inherit bootstrap platform platformName system;
      debs = tools.cc;
    };
    rust =
      if toolchain != null
      then toolchain
      else
        buildTarget.rusts.rustc-web.withStandardLibrary (import ./toolchain/rust-std.nix {
          inherit bootstrap cargoEnvironment cc selfContained system;
          buildCc = buildTarget.cc;
          rust = buildTarget.rusts.rustc-web;
          source = tools.rust-source.rust-web-src;
        });
    stdenv = import ./toolchain/stdenv.nix {
      inherit bootstrap buildPlatform cc patchelf pkg-config platform platformName system;
      buildCc = buildTarget.cc;
      buildCxx = buildTarget.cxx;
      cxx = cc;
      debs = tools.cc;
      libraries = {};
      libstdcxx = null;
    };
    hooks = {
      inherit (buildTarget) autoreconfHook ninja perl protoc python;
      bindgenHook = import ./toolchain/bindgen.nix {
        inherit bootstrap buildPlatform platform;
        buildCxx = buildTarget.cxx;
        clang = tools.cc.libclang-common-19-dev;
        cxx = cc;
        debs = tools.bindgen;
      };
      cmake = import ./toolchain/cmake.nix {
        inherit (buildTarget) ninja;
        inherit bootstrap buildPlatform platform system;
        cxx = cc;
        debs = tools.cmake;
      };
      meson = import ./toolchain/meson.nix {
        inherit (buildTarget) ninja python;
        inherit bootstrap buildPlatform platform system;
        debs = tools.meson;
      };
    };
  in
    hooks
    // {
      inherit cargoEnvironment cc pkg-config platform stdenv;
      buildGo = import ./build-go.nix {
        inherit bash bootstrap buildPlatform golang seeds stdenv system;
        default = goDefault;
      };
      buildRust = import ./build-rust.nix {inherit bash bootstrap cargoEnvironment rust seeds stdenv system;};
      buildWorkspace = import ./build-workspace.nix {
        inherit bash bootstrap cargoEnvironment seeds stdenv system;
        inherit (buildTarget) make patchShebangs;
        libraries = {};
      };
      cxx = cc;
      goEnvironment = import ./go/environment.nix {inherit (platform) go;};
      # Names of libraries are those of glibc's targets, so that whoever uses one learns why there is none.
      libraries = mapAttrs (name: _: throw "${name} is a library for glibc, and ${platform.oci} with ${platform.libc} has no libraries from Debian; compile it with the program") buildTarget.libraries;
      # Debian has no other standard library for the target.
      rusts = {
        rustc = rust;
        rustc-web = rust;
      };
      tools = hooks // import ./toolchain/tools.nix {inherit bootstrap system;} pinnedTools;
    };

  # Returns the target of a row of platforms.nix with musl instead of glibc. Its programs are static.
  musl = name: let
    glibc = platforms.${name};
    withMusl = replaceStrings ["-gnu"] ["-musl"];
    platform =
      glibc
      // {
        gnu = withMusl glibc.gnu;
        libc = "musl";
        rust = withMusl glibc.rust;
      };
    sysroot = import ./toolchain/musl.nix {
      inherit bootstrap system;
      inherit (glibc) gnu;
      inherit (targets.${name}) cc sysroot;
      musl = debs.musl.${glibc.debian}.musl-dev;
      triplet = platform.gnu;
    };
  in {
    name = "${name}_musl";
    value = targetOf "${name}_musl" {
      inherit platform sysroot;
      link = ''
        # Programs are static and position-independent, unless they must not be.
        case " ''${args[*]} " in
          *' -shared '* | *' -r '* | *' -static '* | *' -static-pie '*) ;;
          *' -no-pie '*) args+=(-static) ;;
          *) args+=(-static-pie) ;;
        esac
      '';
      selfContained = derivation {
        inherit sysroot system;
        inherit (glibc) gnu;
        PATH = "${bootstrap}/bin";
        name = "self-contained-${platform.gnu}";
        args = [
          "-e"
          "-c"
          ''
            mkdir -p "$out/lib"
            cd "$out/lib"
            cp "$sysroot"/usr/lib/{Scrt1,crt1,crti,crtn,rcrt1}.o "$sysroot/usr/lib/libc.a" .
            cp "$sysroot/usr/lib/gcc/$gnu"/*/{crtbegin,crtbeginS,crtend,crtendS}.o .
            cp "$sysroot/usr/lib/gcc/$gnu"/*/libgcc_eh.a libunwind.a
          ''
        ];
        builder = "${bootstrap}/bin/bash";
      };
    };
  };

  # The target for Windows. Its programs need no libraries but those of the system.
  windows = let
    platform =
      platforms.x86_64
      // {
        executable = ".exe";
        gnu = "x86_64-w64-mingw32";
        libc = "MinGW-w64";
        oci = "windows/amd64";
        os = "windows";
        rust = "x86_64-pc-windows-gnu";
      };
  in
    targetOf "x86_64_windows" {
      inherit platform;
      hasCxx = true;
      link = ''
        [[ " ''${args[*]} " = *' -shared '* ]] || args+=(-static)
        # Neither symbols nor the time of the link are in the program. libstdc++ needs threads.
        args+=(-s -Wl,--no-insert-timestamp -lpthread)
      '';
      sysroot = import ./toolchain/mingw.nix {
        inherit bootstrap system;
        inherit (platform) gnu;
        debs = tools.mingw;
      };
    };

  # Returns the target for macOS on the processor of a row of platforms.nix. Without Apple's SDK, there is only what programs in
  # Rust need.
  darwin = name: let
    architecture = head (split "-" platforms.${name}.rust);
    platform =
      platforms.${name}
      // {
        # the oldest version that Rust supports on arm64, and the version of Apple's linker whose options lld has
        cflags = ["-mmacosx-version-min=11.0" "-mlinker-version=705"];
        gnu = "${architecture}-apple-darwin";
        ldflags = [];
        libc = "libSystem";
        linker = "ld64.lld";
        oci = replaceStrings ["linux"] ["darwin"] platforms.${name}.oci;
        os = "darwin";
        rust = "${architecture}-apple-darwin";
      };
    stubs = import ./toolchain/darwin.nix {inherit bootstrap system;};
    withStubs = targetOf "${name}_darwin" {
      inherit platform;
      environment.SDKROOT = stubs;
      link = ''
        refuse() {
          echo "error: a program for ${platform.oci} cannot $1 without Apple's SDK; name the SDK with the argument macosSdk in flake.nix (docs/release.md)" >&2
          exit 1
        }
        case " ''${args[*]} " in
          *' -c '* | *' -E '* | *' -S '* | *.c' '*) refuse 'have C' ;;
          *' -framework '* | *' -lc++ '* | *' -lobjc '*) refuse "use Apple's frameworks" ;;
        esac
        # The stub library lists no functions; the loader of macOS finds them. Symbols for debuggers are left out.
        args+=(-Wl,-undefined,dynamic_lookup -Wl,-S -Wl,-x)
      '';
      sysroot = stubs;
    };
    sdk = import ./toolchain/macos-sdk.nix macosSdk;
  in {
    name = "${name}_darwin";
    value =
      if macosSdk == null
      then withStubs
      else
        targetOf "${name}_darwin" {
          platform = platform // {cflags = platform.cflags ++ ["-isysroot" sdk];};
          environment.SDKROOT = sdk;
          hasCxx = true;
          link = "args+=(-Wl,-S -Wl,-x)";
          sysroot = sdk;
          # The standard library is the same.
          toolchain = withStubs.rusts.rustc;
        };
  };

  # The target for WebAssembly with WASI. Its programs are modules that import only functions of WASI.
  wasi = let
    gnu = "wasm32-wasip1";
    platform =
      platforms.i686
      // {
        inherit gnu;
        cflags = [];
        cmake = "wasm32";
        executable = ".wasm";
        ldflags = [];
        libc = "wasi-libc";
        meson = "wasm32";
        oci = "wasip1/wasm";
        os = "wasi";
        rust = "wasm32-wasip1";
      };
    sysroot = import ./toolchain/wasi.nix {
      inherit bootstrap gnu system;
      debs = tools.wasi;
    };
  in
    targetOf "wasm32_wasip1" {
      inherit platform sysroot;
      # rustc has options for this linker, not for clang.
      environment.CARGO_TARGET_WASM32_WASIP1_LINKER = "${tools.cc.lld-19}/lib/llvm-19/bin/wasm-ld";
      link = "";
      selfContained = derivation {
        inherit gnu sysroot system;
        PATH = "${bootstrap}/bin";
        name = "self-contained-${gnu}";
        args = ["-e" "-c" ''mkdir -p "$out/lib"; cp "$sysroot/lib/$gnu"/{crt1-command.o,crt1-reactor.o,libc.a} "$out/lib"''];
        builder = "${bootstrap}/bin/bash";
      };
    };
in
  listToAttrs (map musl (attrNames platforms) ++ map darwin ["aarch64" "x86_64"])
  // {
    wasm32_wasip1 = wasi;
    x86_64_windows = windows;
  }
