# Returns the attributes with which stdenv.mkDerivation links programs for other Linux systems: they run with the
# C library of any distribution that is not older than a version of glibc. For that, programs are linked with
# stand-ins for the C library's shared objects, which have only the symbols of that version. libcompat.a has newer
# functions that Debian's headers and archives use. docs/release.md explains what this means for users.
#
# The programs are linked with the loader in the store, so that they run during the build as well; `postFixup`
# then makes it the system's. The file `libraries` lists the shared libraries that programs need of the system, and
# their packages in Debian: lines of SONAME and PACKAGE.
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
}: let
  inherit (platform) gnu interpreter;

  link = derivation {
    inherit glibc gnu interpreter system;
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
    for file in "$out"/bin/*; do
      patchelf --print-interpreter "$file" >/dev/null 2>&1 || continue
      # An empty RUNPATH takes the place of the store paths before it goes.
      patchelf --set-interpreter ${platform.loader} --set-rpath "" "$file"
      patchelf --remove-rpath "$file"
    done
    for file in "$out"/bin/*; do
      for soname in $(patchelf --print-needed "$file" 2>/dev/null); do
        for dir in $buildInputs; do
          [[ $dir = *_* && -e $dir/lib/$gnu/$soname ]] || continue
          package=''${dir##*/}
          package=''${package#*-}
          echo "$soname ''${package%%_*}"
        done
      done
    done | sort -u >"$out/libraries"
  '';
}
