# Returns a derivation with the compilers of C and C++ for a target whose C library is not Debian's: wrappers of clang
# and lld, and LLVM's binary tools. Its attribute `sysroot` has the C library.
{
  # derivation: static bash and busybox in bin/ (toolchain/bootstrap.nix)
  bootstrap,
  # attribute set: Debian packages for the build machine, by name
  debs,
  # bool: whether the sysroot has a C++ library
  hasCxx,
  # string: lines of bash that change the compiler's arguments, the array `args`
  link,
  # the target's row, from release-targets.nix
  platform,
  # string: name of that row
  platformName,
  # derivation or store path: C library and headers of the target
  sysroot,
  # string: system of the build machine, such as "x86_64-linux"
  system,
}: let
  inherit (platform) gnu oci;

  llvm = "${debs.llvm-19}/lib/llvm-19/bin";

  wrapper = driver: ''
    #!${bootstrap}/bin/bash
    args=()
    for arg in $NIX_CFLAGS_COMPILE_${platformName} "$@" $NIX_LDFLAGS_${platformName}; do
      case $arg in
        -march=native | -mcpu=native | -mtune=native) continue ;;
      esac
      args+=("$arg")
    done
    ${link}
    exec ${debs.clang-19}/lib/llvm-19/bin/clang --driver-mode=${driver} --target=${toString ([gnu] ++ platform.cflags)} \
      --sysroot=${sysroot} -resource-dir=${debs.libclang-common-19-dev}/lib/llvm-19/lib/clang/19 \
      --ld-path=${debs.lld-19}/lib/llvm-19/bin/${platform.linker or "ld.lld"} -Qunused-arguments \
      -ffile-prefix-map="''${NIX_BUILD_TOP:-/build}"=/build "''${args[@]}" ${toString platform.ldflags}
  '';
  refusal = ''
    #!${bootstrap}/bin/bash
    echo 'error: a program for ${oci} with ${platform.libc} cannot have C++, since Debian has no C++ library for it' >&2
    exit 1
  '';
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
        printf '%s' "$c" >${gnu}-cc
        printf '%s' "$cxx" >${gnu}-c++
        chmod +x *
        for name in clang gcc; do ln -s ${gnu}-cc ${gnu}-$name; done
        for name in clang++ g++; do ln -s ${gnu}-c++ ${gnu}-$name; done
        for tool in ar dlltool nm objcopy objdump ranlib readelf strip windres; do
          ln -s ${llvm}/llvm-$tool ${gnu}-$tool
        done
        # rustc calls it for macOS.
        ln -s ${llvm}/llvm-objcopy rust-objcopy
      ''
    ];
    builder = "${bootstrap}/bin/bash";
    c = wrapper "gcc";
    cxx =
      if hasCxx
      then wrapper "g++"
      else refusal;
  }
  // {inherit sysroot;}
