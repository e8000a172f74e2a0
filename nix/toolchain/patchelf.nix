# patchelf, from its package and those of the libraries it loads, by a path in itself. It is an RPATH,
# which unlike RUNPATH holds for the libraries of libraries: those are still as Debian made them.
{
  bootstrap,
  libs,
  patchelf,
  system,
}:
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
      cp -P tree/usr/lib/x86_64-linux-gnu/*.so* "$out/lib"
      cp tree/usr/bin/patchelf "$out/bin/patchelf"
      "$out/lib/ld-linux-x86-64.so.2" --library-path "$out/lib" tree/usr/bin/patchelf \
        --set-interpreter "$out/lib/ld-linux-x86-64.so.2" --force-rpath --set-rpath "$out/lib" "$out/bin/patchelf"
      "$out/bin/patchelf" --version
    ''
  ];
  builder = "${bootstrap}/bin/bash";
}
