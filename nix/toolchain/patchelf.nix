# Returns a derivation with patchelf and the libraries that it loads. patchelf finds them by RPATH, not by
# RUNPATH: RPATH also applies to the dependencies of libraries, and these libraries are not patched.
{
  # derivation: static bash and busybox in bin/ (toolchain/bootstrap.nix)
  bootstrap,
  # the build machine's row of platforms.nix
  buildPlatform,
  # list: .deb files of libc6, libgcc-s1 and libstdc++6
  libs,
  # .deb file of patchelf
  patchelf,
  # string: system of the build machine, such as "x86_64-linux"
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
