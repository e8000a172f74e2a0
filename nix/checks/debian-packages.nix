# Returns a derivation that checks how builds find libraries of Debian packages: in private directories that
# RUNPATH names, by the names that maintainer scripts register as alternatives, and by the .pc files in
# /usr/lib and /usr/share. The check makes its own packages, so it needs no seeds of them.
{
  # function: debian-package.nix
  deb,
  # attribute set: target.nix for the build machine
  target,
}: let
  inherit (target) libraries platform stdenv;
  inherit (platform) gnu;

  # Returns a Debian package. `contents` is a script that writes files to tree/ and maintainer scripts to
  # control/.
  package = name: depends: contents: let
    src = stdenv.mkDerivation {
      name = "${name}.deb";
      phases = "make";
      makePhase = ''
        lib=tree/usr/lib/$gnu
        mkdir -p control "$lib"
        library() {
          echo "$2" | $CC -shared -x c - -x none -o "$1" -Wl,-soname,"$3" ''${4:-}
        }
        ${contents}
        for part in control tree; do tar -C "$part" -czf "$part.tar.gz" .; done
        mv tree.tar.gz data.tar.gz
        echo 2.0 >debian-binary
        $AR rc "$out" debian-binary control.tar.gz data.tar.gz
      '';
    };
  in
    deb {
      inherit depends platform src;
      libc = libraries.libc6;
      pin = {inherit name;};
    }
    // {inherit depends;};

  core = package "core" [] ''
    mkdir "$lib/private"
    library "$lib/private/libcore.so" 'int core(void) { return 1; }' libcore.so
  '';
  front = package "front" [core] ''
    library libcore.so 'int core(void) { return 1; }' libcore.so
    library "$lib/libfront.so" 'int core(void); int front(void) { return core(); }' libfront.so \
      "libcore.so -Wl,-rpath,/usr/lib/$gnu/private"
    mkdir -p "$lib/pkgconfig" tree/usr/share/pkgconfig
    cat >"$lib/pkgconfig/front.pc" <<END
    prefix=/usr
    Name: front
    Description: the library in front
    Version: 1
    Requires.private: core
    Libs: -L/usr/lib/$gnu -lfront
    END
    cat >tree/usr/share/pkgconfig/core.pc <<END
    Name: core
    Description: what the library in front needs
    Version: 1
    END
  '';
  # Returns one of two packages that provide the same library as alternatives.
  blas = {
    name,
    priority,
  }:
    package name [] ''
      mkdir "$lib/${name}"
      library "$lib/${name}/libblas.so.3" 'int blas(void) { return ${priority}; }' libblas.so.3
      ln -s libblas.so.3 "$lib/${name}/libblas.so"
      cat >control/postinst <<'END'
      #!/bin/sh
      set -e
      . /usr/share/debconf/confmodule
      libdir=/usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH)
      for file in libblas.so.3 libblas.so; do
        update-alternatives --quiet --install $libdir/$file $file-${gnu} \
          $libdir/${name}/$file ${priority} >/dev/null
      done
      rm -rf $libdir
      ldconfig
      END
    '';
  slow = blas {
    name = "slow";
    priority = "10";
  };
  fast = blas {
    name = "fast";
    priority = "100";
  };
in
  stdenv.mkDerivation {
    name = "debian-packages";
    buildInputs = [front slow fast];
    phases = "prove";
    provePhase = ''
      cat >program.c <<'END'
      #include <stdio.h>
      int blas(void);
      int front(void);
      int main(void) { return printf("%d %d\n", front(), blas()) < 0; }
      END
      libs=$($PKG_CONFIG --cflags --libs front)
      [[ $libs != */usr/* ]]
      $CC program.c $libs -lblas -o program
      [[ $(./program) = '1 100' ]]
      touch "$out"
    '';
  }
