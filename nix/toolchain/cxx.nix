# The C++ compiler for one target, and a C compiler that goes with it: its programs may have objects
# in them that come from C++. Both are the C compiler, which stays as it is, with a sysroot that has
# libstdc++. What is linked finds libstdc++ and the package's own libraries; a directory in which
# nothing is needed leaves RUNPATH in the end.
{
  bootstrap,
  cc,
  libstdcxx,
  platform,
  platformName,
  sysroot,
  system,
}: let
  inherit (platform) gnu;

  # Where a header lies is not for the program to tell: it would refer to the header's package.
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
