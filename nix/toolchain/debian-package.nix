# Returns a derivation with the files of one Debian package. Its programs and libraries have the store paths
# of the loader and of the packages that they depend on as interpreter and RUNPATH.
{
  # derivation: static bash and busybox in bin/ (toolchain/bootstrap.nix)
  bootstrap,
  # derivation: toolchain/patchelf.nix
  patchelf,
  # string: system of the build machine, such as "x86_64-linux"
  system,
}: {
  # derivation: the .deb file
  src,
  # attribute set: the package's entry in slipway.lock
  pin,
  # list: results of this function for all direct and indirect dependencies
  depends,
  # row of platforms.nix for the package's architecture
  platform,
  # Debian package of the C library. null for the C library itself and for packages without programs; their
  # files are not patched.
  libc,
}:
derivation {
  inherit depends src system;
  PATH = "${patchelf}/bin:${bootstrap}/bin";
  name = builtins.replaceStrings [".deb"] [""] src.name;
  alternatives = ./alternatives.sh;
  args = ["-e" ./unpack-deb.sh];
  builder = "${bootstrap}/bin/bash";
  debianArchitecture = platform.debian;
  gnu = platform.gnu;
  interpreter =
    if libc == null
    then ""
    else "${libc}/lib/${platform.gnu}/${platform.interpreter}";
  package = pin.name;
}
