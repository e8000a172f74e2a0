# One Debian package as a store path that works where it lies: its programs and libraries know,
# by interpreter and RUNPATH, the store paths of the packages they depend on.
{
  bootstrap,
  patchelf,
  system,
}: {
  # the package file
  src,
  pin,
  # store paths made by this function, of every package that this one depends on, at any depth
  depends,
  # the row of platforms.nix that the package was built for
  platform,
  # where the C library's package is, or null for the C library itself, which must stay as it is
  libc,
}:
derivation {
  inherit depends src system;
  PATH = "${patchelf}/bin:${bootstrap}/bin";
  name = builtins.replaceStrings [".deb"] [""] src.name;
  args = ["-e" ./unpack-deb.sh];
  builder = "${bootstrap}/bin/bash";
  gnu = platform.gnu;
  interpreter =
    if libc == null
    then ""
    else "${libc}/lib/${platform.gnu}/${platform.interpreter}";
  package = pin.name;
}
