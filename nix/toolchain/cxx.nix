# Returns a derivation with the C++ compiler for one target, and with a C compiler that can link C++ objects.
# Both call the compiler of cc.nix with a sysroot that has libstdc++. They add libstdc++ and the package's own
# lib/ to RUNPATH; the fixup phase removes the entries that a program does not need.
{
  # derivation: static bash and busybox in bin/ (toolchain/bootstrap.nix)
  bootstrap,
  # derivation: the target's C compiler (cc.nix)
  cc,
  # Debian package libstdc++6 of the target
  libstdcxx,
  # the target's row of platforms.nix
  platform,
  # string: name of that row
  platformName,
  # derivation: sysroot.nix with `cxx = true`
  sysroot,
  # string: system of the build machine, such as "x86_64-linux"
  system,
}: let
  inherit (platform) gnu;

  # Map the paths of headers to /usr/include. Otherwise a program that uses __FILE__ in a header would refer to
  # the package of the header.
  wrapper = driver: ''
    #!${bootstrap}/bin/bash
    headers=-ffile-prefix-map=${sysroot}=
    for word in $NIX_CFLAGS_COMPILE_${platformName}; do
      [[ $word != /* ]] || headers+=" -ffile-prefix-map=$word=/usr/include"
    done
    exec ${cc}/bin/${gnu}-cc --driver-mode=${driver} --sysroot=${sysroot} $headers "$@" \
      -Wl,-rpath,${libstdcxx}/lib/${gnu} ''${out:+-Wl,-rpath,$out/lib}
  '';
in
  derivation {
    inherit system;
    PATH = "${bootstrap}/bin";
    name = "cxx-${platformName}";
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
      ''
    ];
    builder = "${bootstrap}/bin/bash";
    c = wrapper "gcc";
    cxx = wrapper "g++";
  }
  // {inherit sysroot;}
