# Returns a derivation with musl's archives and headers, the kernel's headers and libgcc for one target, for static
# programs.
{
  # derivation: static bash and busybox in bin/ (toolchain/bootstrap.nix)
  bootstrap,
  # derivation: the target's C compiler for glibc (cc.nix)
  cc,
  # string: its triplet, under which its sysroot has libgcc
  gnu,
  # Debian package musl-dev for the target
  musl,
  # string: musl's triplet, under which Debian's package has its files
  triplet,
  # derivation: sysroot.nix
  sysroot,
  # string: system of the build machine, such as "x86_64-linux"
  system,
}:
derivation {
  inherit gnu sysroot system triplet;
  PATH = "${cc}/bin:${bootstrap}/bin";
  name = "sysroot-${triplet}";
  args = [
    "-e"
    "-c"
    ''
      dpkg-deb -x "$musl" tree
      mkdir -p "$out/usr/include" "$out/usr/lib/gcc/$gnu"
      cp -r "tree/usr/lib/$triplet/." "$out/usr/lib"
      cp -r "tree/usr/include/$triplet/." "$out/usr/include"
      cp -r "$sysroot/usr/include/linux" "$sysroot/usr/include/asm-generic" "$out/usr/include"
      cp -r "$sysroot/usr/include/$gnu/asm" "$out/usr/include"
      cp -r "$sysroot/usr/lib/gcc/$gnu/." "$out/usr/lib/gcc/$gnu"
      chmod -R u+w "$out"
      # libgcc uses a function of glibc.
      for directory in "$out/usr/lib/gcc/$gnu"/*; do
        $gnu-cc -c -O2 -o unwind.o "$unwind"
        $gnu-ar rsD "$directory/libgcc_eh.a" unwind.o
      done
    ''
  ];
  builder = "${bootstrap}/bin/bash";
  musl = musl.src;
  unwind = ./portable/unwind.c;
}
