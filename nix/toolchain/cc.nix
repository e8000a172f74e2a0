# The C compiler for one target: clang and lld with the target's sysroot. What it links runs on the
# C library's store path. Further flags come in NIX_CFLAGS_COMPILE_… and NIX_LDFLAGS_…, which end in
# the platform's name, so that a compiler for the build machine beside it never sees them.
{
  bootstrap,
  debs,
  libraries,
  platform,
  platformName,
  sysroot,
  system,
}: let
  inherit (builtins) concatStringsSep map;

  runtime = "${libraries.libc6}/lib/${platform.gnu}";
  clang = "${debs.clang-19}/lib/llvm-19/bin";
  resources = "${debs.libclang-common-19-dev}/lib/llvm-19/lib/clang/19";
in
  derivation {
    inherit system;
    PATH = "${bootstrap}/bin";
    name = "cc-${platformName}";
    args = [
      "-e"
      "-c"
      ''
        mkdir -p "$out/bin"
        cd "$out/bin"
        printf '%s' "$wrapper" >${platform.gnu}-cc
        chmod +x ${platform.gnu}-cc
        for name in clang gcc; do ln -s ${platform.gnu}-cc ${platform.gnu}-$name; done
        for tool in ar nm objcopy objdump ranlib readelf strip; do
          ln -s ${debs.llvm-19}/lib/llvm-19/bin/llvm-$tool ${platform.gnu}-$tool
        done
        ln -s ${debs.lld-19}/lib/llvm-19/bin/ld.lld ${platform.gnu}-ld
      ''
    ];
    builder = "${bootstrap}/bin/bash";
    # The processor that happens to build is not what a program is for. clang leaves unused what is only for
    # the linker when it does not link.
    wrapper = ''
      #!${bootstrap}/bin/bash
      args=()
      for arg; do
        case $arg in
          -march=native | -mcpu=native | -mtune=native) ;;
          *) args+=("$arg") ;;
        esac
      done
      exec ${clang}/clang --target=${toString ([platform.gnu] ++ platform.cflags)} --sysroot=${sysroot} -resource-dir=${resources} \
        --ld-path=${debs.lld-19}/lib/llvm-19/bin/ld.lld -Qunused-arguments \
        -ffile-prefix-map="''${NIX_BUILD_TOP:-/build}"=/build \
        $NIX_CFLAGS_COMPILE_${platformName} "''${args[@]}" $NIX_LDFLAGS_${platformName} \
        -Wl,--dynamic-linker=${runtime}/${platform.interpreter} \
        -Wl,-rpath,${runtime} -Wl,-rpath,${libraries.libgcc-s1}/lib/${platform.gnu}${concatStringsSep "" (map (flag: " ${flag}") platform.ldflags)}
    '';
  }
