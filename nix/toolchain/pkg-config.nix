# Returns a derivation with GNU-pkg-config for one target, where GNU is the platform's GNU name. It finds only
# the .pc files in PKG_CONFIG_PATH_PLATFORM, which stdenv sets from buildInputs.
{
  # derivation: static bash and busybox in bin/ (toolchain/bootstrap.nix)
  bootstrap,
  # attribute set: Debian packages for the build machine, by name
  debs,
  # the target's row of platforms.nix
  platform,
  # string: name of that row
  platformName,
  # string: system of the build machine, such as "x86_64-linux"
  system,
}:
derivation {
  inherit system;
  PATH = "${bootstrap}/bin";
  name = "pkg-config-${platformName}";
  args = [
    "-e"
    "-c"
    ''
      mkdir -p "$out/bin"
      printf '%s' "$wrapper" >"$out/bin/${platform.gnu}-pkg-config"
      chmod +x "$out/bin/${platform.gnu}-pkg-config"
    ''
  ];
  builder = "${bootstrap}/bin/bash";
  wrapper = ''
    #!${bootstrap}/bin/bash
    unset PKG_CONFIG_PATH PKG_CONFIG_SYSROOT_DIR
    export PKG_CONFIG_LIBDIR=$PKG_CONFIG_PATH_${platformName}
    exec ${debs.pkgconf-bin}/bin/pkgconf "$@"
  '';
}
