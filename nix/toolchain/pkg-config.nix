# pkg-config for one target: it sees the .pc files of the target's inputs and no others.
{
  bootstrap,
  debs,
  platform,
  platformName,
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
