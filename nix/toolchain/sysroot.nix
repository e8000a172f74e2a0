# What a program for one target is compiled and linked against: the C library with its headers, the
# kernel's headers and libgcc, unpacked over each other as on a Debian machine; for C++ its library too.
{
  bootstrap,
  debs,
  system,
  cxx ? false,
}: let
  inherit (debs.libc6.pin) architecture;
  c = ["libc6" "libc6-dev" "libgcc-14-dev" "libgcc-s1" "linux-libc-dev"];
in
  derivation {
    inherit system;
    PATH = "${bootstrap}/bin";
    name =
      if cxx
      then "sysroot-cxx-${architecture}"
      else "sysroot-${architecture}";
    args = [
      "-e"
      "-c"
      ''
        mkdir -p "$out"
        for deb in $packages; do dpkg-deb -x "$deb" "$out"; done
        rm -rf "$out/etc" "$out/lib64" "$out/usr/share"
        # libc.so is a linker script with /lib in its paths
        ln -s usr/lib "$out/lib"
        ln -s usr/lib64 "$out/lib64"
      ''
    ];
    builder = "${bootstrap}/bin/bash";
    packages = map (name: debs.${name}.src) (
      if cxx
      then c ++ ["libstdc++-14-dev" "libstdc++6"]
      else c
    );
  }
