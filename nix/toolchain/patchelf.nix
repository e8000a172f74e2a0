# patchelf, from its package and those of the libraries it loads, by a path in itself. It is an RPATH,
# which unlike RUNPATH holds for the libraries of libraries: those are still as Debian made them.
{
  bootstrap,
  # the row of platforms.nix for the machine that builds
  buildPlatform,
  libs,
  patchelf,
  system,
}: let
  loader = "$out/lib/${buildPlatform.interpreter}";
in
  derivation {
    inherit libs patchelf system;
    PATH = "${bootstrap}/bin";
    name = "patchelf";
    args = [
      "-e"
      "-c"
      ''
        for deb in $patchelf $libs; do dpkg-deb -x "$deb" tree; done
        mkdir -p "$out/bin" "$out/lib"
        cp -P tree/usr/lib/${buildPlatform.gnu}/*.so* "$out/lib"
        cp tree/usr/bin/patchelf "$out/bin/patchelf"
        "${loader}" --library-path "$out/lib" tree/usr/bin/patchelf \
          --set-interpreter "${loader}" --force-rpath --set-rpath "$out/lib" "$out/bin/patchelf"
        "$out/bin/patchelf" --version
      ''
    ];
    builder = "${bootstrap}/bin/bash";
  }
