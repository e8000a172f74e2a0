# Returns a derivation with the sysroot of one target: the C library and its headers, the kernel's headers and
# libgcc, unpacked into one tree as on a Debian system.
{
  # derivation: static bash and busybox in bin/ (toolchain/bootstrap.nix)
  bootstrap,
  # attribute set: Debian packages for the target, by name
  debs,
  # string: system of the build machine, such as "x86_64-linux"
  system,
  # bool: whether to include libstdc++ and its headers
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
        # libc.so is a linker script that names paths below /lib.
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
