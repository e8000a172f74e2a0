# Returns a derivation with the C compiler for one target: a wrapper of clang and lld that uses the target's
# sysroot. Programs that it links use the loader and the C library in the store. The wrapper adds the flags in
# NIX_CFLAGS_COMPILE_PLATFORM and NIX_LDFLAGS_PLATFORM, where PLATFORM is `platformName`, so these flags do
# not affect the build machine's compiler. The directory in NIX_LINK_PLATFORM, if there is one, has a script that
# changes how programs are linked (portable.nix).
{
  # derivation: static bash and busybox in bin/ (toolchain/bootstrap.nix)
  bootstrap,
  # attribute set: Debian packages for the build machine, by name
  debs,
  # attribute set: Debian packages for the target, by name
  libraries,
  # the target's row of platforms.nix
  platform,
  # string: name of that row
  platformName,
  # derivation: C library and headers of the target (sysroot.nix)
  sysroot,
  # string: system of the build machine, such as "x86_64-linux"
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
    # The wrapper drops flags that select the build machine's processor, and raises a maximum page size that
    # is smaller than the target's. It sets no loader for static programs: lld would write INTERP and RUNPATH,
    # the kernel would start the program with the loader, and the loader would crash. clang ignores linker
    # flags if it does not link.
    wrapper = ''
      #!${bootstrap}/bin/bash
      static=
      args=()
      for arg in $NIX_CFLAGS_COMPILE_${platformName} "$@" $NIX_LDFLAGS_${platformName}; do
        case $arg in
          -march=native | -mcpu=native | -mtune=native) continue ;;
          -static | --static) static=yes ;;
          -static-pie | --static-pie)
            static=yes
            # Debian's C library has no static PIE for some platforms.
            [[ -e ${sysroot}/usr/lib/${platform.gnu}/rcrt1.o ]] || arg=-static
            ;;
          *max-page-size=*)
            size=''${arg##*max-page-size=}
            size=''${size%%,*}
            ((size >= ${toString platform.pageSize})) || arg=''${arg/max-page-size=$size/max-page-size=${toString platform.pageSize}}
            ;;
          # A response file.
          @*) [[ ! -r ''${arg#@} || " $(<"''${arg#@}") " != *[[:space:]\"]-static?(-pie)[[:space:]\"]* ]] || static=yes ;;
        esac
        args+=("$arg")
      done
      if [[ -n $static ]]; then
        for number in "''${!args[@]}"; do
          [[ ''${args[number]} != -Wl,-rpath[,=]* ]] || unset "args[number]"
        done
      else
        args+=(-Wl,--dynamic-linker=${runtime}/${platform.interpreter} -Wl,-rpath,${runtime} -Wl,-rpath,${libraries.libgcc-s1}/lib/${platform.gnu})
      fi
      compiler=(${clang}/clang --target=${toString ([platform.gnu] ++ platform.cflags)} --sysroot=${sysroot} -resource-dir=${resources}
        --ld-path=${debs.lld-19}/lib/llvm-19/bin/ld.lld -Qunused-arguments
        -ffile-prefix-map="''${NIX_BUILD_TOP:-/build}"=/build)
      args+=(${concatStringsSep " " platform.ldflags})
      [[ -n $static || -z $NIX_LINK_${platformName} ]] || source "$NIX_LINK_${platformName}/link"
      exec "''${compiler[@]}" "''${args[@]}"
    '';
  }
