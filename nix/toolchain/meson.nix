# Returns a derivation with Meson. In nativeBuildInputs, it sets the configure, build and install phases, with
# machine files for the build machine and the target (https://mesonbuild.com/Machine-files.html).
{
  # derivation: static bash and busybox in bin/ (toolchain/bootstrap.nix)
  bootstrap,
  # the build machine's row of platforms.nix
  buildPlatform,
  # attribute set: Debian packages for the build machine, by name
  debs,
  # derivation: Ninja, from sh-shim.nix
  ninja,
  # the target's row of platforms.nix
  platform,
  # derivation: python.nix
  python,
  # string: system of the build machine, such as "x86_64-linux"
  system,
}: let
  inherit (builtins) toFile;

  binaries = {gnu, ...}: ''
    [binaries]
    ar = '${gnu}-ar'
    c = '${gnu}-cc'
    cpp = '${gnu}-c++'
    objcopy = '${gnu}-objcopy'
    strip = '${gnu}-strip'
  '';
  nativeFile = toFile "native.ini" (binaries buildPlatform);
  crossFile = toFile "cross.ini" ''
    ${binaries platform}
    pkg-config = '${platform.gnu}-pkg-config'

    [host_machine]
    cpu = '${platform.cmake}'
    cpu_family = '${platform.meson}'
    endian = '${platform.endian}'
    system = '${platform.os or "linux"}'

    [properties]
    needs_exe_wrapper = true
  '';
  machines =
    if platform == buildPlatform
    then "--native-file ${nativeFile}"
    else "--native-file ${nativeFile} --cross-file ${crossFile}";

  meson = derivation {
    inherit system;
    PATH = "${python}/bin:${bootstrap}/bin";
    SOURCE_DATE_EPOCH = "1";
    name = "meson-1.7";
    args = [
      "-e"
      "-c"
      ''
        mkdir -p "$out/bin" "$out/lib"
        cp -r ${debs.meson}/lib/python3/dist-packages/mesonbuild "$out/lib"
        chmod -R u+w "$out/lib"
        python3 -m compileall -q --invalidation-mode unchecked-hash "$out/lib"
        printf '%s' "$program" >"$out/bin/meson"
        sed -i "s|LIBRARY|$out/lib|" "$out/bin/meson"
        chmod +x "$out/bin/meson"
        ln -s ${ninja}/bin/ninja ${python}/bin/python3 "$out/bin"
      ''
    ];
    builder = "${bootstrap}/bin/bash";
    program = ''
      #!${python}/bin/python3
      import sys
      sys.path.insert(1, "LIBRARY")
      from mesonbuild.mesonmain import main
      sys.exit(main())
    '';
  };
in
  meson
  // {
    hook = _: {
      configurePhase = ''
        patchShebangs .
        meson setup ${machines} --prefix="$out" --libdir=lib --buildtype=release --wrap-mode=nodownload \
          $mesonFlags build
        cd build
      '';
      buildPhase = ''ninja -j "$NIX_BUILD_CORES"'';
      installPhase = "meson install --no-rebuild";
    };
  }
