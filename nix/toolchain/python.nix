# Returns a derivation with Python, for Meson and for programs that generate sources. Python finds its
# standard library relative to its executable, so both are in one derivation. The modules are compiled,
# because Python cannot write bytecode to the store.
{
  # derivation: static bash and busybox in bin/ (toolchain/bootstrap.nix)
  bootstrap,
  # attribute set: Debian packages for the build machine, by name
  debs,
  # derivation: toolchain/patchelf.nix
  patchelf,
  # string: system of the build machine, such as "x86_64-linux"
  system,
}: let
  minimal = debs."python3.13-minimal";
in
  derivation {
    inherit system;
    PATH = "${patchelf}/bin:${bootstrap}/bin";
    SOURCE_DATE_EPOCH = "1";
    name = "python-3.13";
    args = [
      "-e"
      "-c"
      ''
        mkdir -p "$out/bin" "$out/lib/python3.13"
        for library in ${debs."libpython3.13-minimal"} ${debs."libpython3.13-stdlib"}; do
          cp -r "$library"/lib/python3.13/. "$out/lib/python3.13"
          chmod -R u+w "$out/lib/python3.13"
        done
        # These are the machine's own, which do not exist here.
        find "$out/lib" -type l ! -exec test -e {} \; -exec rm {} +
        # patchelf damages the package's own program. It cannot change this program in the order in which
        # it changes all others.
        dpkg-deb -x ${minimal.src} tree
        python=$out/bin/python3.13
        cp tree/usr/bin/python3.13 "$python"
        patchelf --set-rpath "$(patchelf --print-rpath ${minimal}/bin/python3.13)" "$python"
        patchelf --set-interpreter "$(patchelf --print-interpreter ${minimal}/bin/python3.13)" "$python"
        ln -s python3.13 "$out/bin/python3"
        "$out/bin/python3" -m compileall -q --invalidation-mode unchecked-hash "$out/lib"
      ''
    ];
    builder = "${bootstrap}/bin/bash";
  }
