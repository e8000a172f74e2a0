# Returns the attributes with which stdenv.mkDerivation links programs for other Linux systems: they run with the
# C library of any distribution that is not older than a version of glibc. For that, programs are linked with
# stand-ins for the C library's shared objects, which have only the symbols of that version. libcompat.a has newer
# functions that Debian's headers and archives use. docs/release.md explains what this means for users.
#
# The programs are linked with the loader in the store, so that they run during the build as well; `postFixup`
# then makes it the system's, and copies shared libraries that are not the system's. The file `libraries` lists the
# shared libraries that programs need of the system, and their packages in Debian: lines of SONAME and PACKAGE.
{
  # derivation: static bash and busybox in bin/ (toolchain/bootstrap.nix)
  bootstrap,
  # derivation: the target's C compiler (cc.nix)
  cc,
  # Debian package of the C library of the target
  libc,
  # the target's row of platforms.nix
  platform,
  # string: name of that row
  platformName,
  # string: system of the build machine, such as "x86_64-linux"
  system,
}: {
  # string: the oldest version of glibc
  glibc,
  # string: "static" if Debian's libraries are linked statically, or "bundled" if their shared libraries are copied
  libraries ? "static",
  # string: name of the directory in lib/ for copied libraries; by default that of the derivation
  name ? "$name",
}: let
  inherit (platform) gnu interpreter;

  link = derivation {
    inherit glibc gnu interpreter libraries system;
    PATH = "${cc}/bin:${bootstrap}/bin";
    name = "portable-${platformName}-${glibc}";
    args = ["-e" ./portable.sh];
    builder = "${bootstrap}/bin/bash";
    libc = "${libc}/lib/${gnu}";
    sources = ./portable;
  };
in {
  "NIX_LINK_${platformName}" = link;
  postFixup = ''
    link=${link}
    loader=${platform.loader}
    debianArchitecture=${platform.debian}
    libraryDirectory="${name}"
    source "$link/fixup"
  '';
}
