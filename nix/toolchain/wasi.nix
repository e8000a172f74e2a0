# Returns a derivation with the C library for WebAssembly with WASI, and its headers, where clang looks for them.
{
  # derivation: static bash and busybox in bin/ (toolchain/bootstrap.nix)
  bootstrap,
  # attribute set: Debian packages for the build machine, by name
  debs,
  # string: the target's triplet
  gnu,
  # string: system of the build machine, such as "x86_64-linux"
  system,
}:
derivation {
  inherit gnu system;
  inherit (debs.wasi-libc) src;
  PATH = "${bootstrap}/bin";
  name = "sysroot-${gnu}";
  args = [
    "-e"
    "-c"
    ''
      dpkg-deb -x "$src" tree
      mkdir -p "$out/include" "$out/lib"
      cp -r tree/usr/include/wasm32-wasi "$out/include/$gnu"
      cp -r tree/usr/lib/wasm32-wasi "$out/lib/$gnu"
    ''
  ];
  builder = "${bootstrap}/bin/bash";
}
