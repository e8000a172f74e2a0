# Returns a derivation with stubs of the C library of macOS, with which programs are linked that need no other library
# and no headers. The format is described in LLVM's TextAPI, version 4.
{
  # derivation: static bash and busybox in bin/ (toolchain/bootstrap.nix)
  bootstrap,
  # string: system of the build machine, such as "x86_64-linux"
  system,
}:
derivation {
  inherit system;
  PATH = "${bootstrap}/bin";
  name = "sysroot-darwin";
  args = [
    "-e"
    "-c"
    ''
      mkdir -p "$out/usr/lib"
      cd "$out/usr/lib"
      stub() {
        printf '%s\n' '--- !tapi-tbd' 'tbd-version: 4' 'targets: [ x86_64-macos, arm64-macos ]' "install-name: '/usr/lib/$2'" ... >"$1"
      }
      stub libSystem.tbd libSystem.B.dylib
      stub libiconv.tbd libiconv.2.dylib
      for name in libc libdl libm libpthread; do ln -s libSystem.tbd "$name.tbd"; done
    ''
  ];
  builder = "${bootstrap}/bin/bash";
}
