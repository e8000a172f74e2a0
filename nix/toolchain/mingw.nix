# Returns a derivation with the C and C++ libraries of MinGW-w64, and their headers, for programs for Windows.
{
  # derivation: static bash and busybox in bin/ (toolchain/bootstrap.nix)
  bootstrap,
  # attribute set: Debian packages for the build machine, by name
  debs,
  # string: GNU triplet of the target
  gnu,
  # string: system of the build machine, such as "x86_64-linux"
  system,
}:
derivation {
  inherit gnu system;
  PATH = "${bootstrap}/bin";
  name = "sysroot-${gnu}";
  args = [
    "-e"
    "-c"
    ''
      for deb in $packages; do dpkg-deb -x "$deb" tree; done
      gcc=$out/lib/gcc/$gnu/14
      mkdir -p "$gcc/include"
      cp -r "tree/usr/$gnu" "$out/$gnu"
      # Links name headers that all processors have in common.
      cp -r tree/usr/share "$out/share"
      cd "tree/usr/lib/gcc/$gnu/14-posix"
      cp *.a *.o "$gcc"
      cp -r include/c++ "$gcc/include"
    ''
  ];
  builder = "${bootstrap}/bin/bash";
  packages = map (name: debs.${name}.src) ["g++-mingw-w64-x86-64-posix" "gcc-mingw-w64-x86-64-posix" "mingw-w64-common" "mingw-w64-x86-64-dev"];
}
