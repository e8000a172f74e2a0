# librdkafka from the source that the crate rdkafka-sys carries, so that bindings and library are
# of the same version by construction. Two changes, each told at the top of its patch: waits do not
# depend on the time of day, and a cluster that had no broker for a moment is found again.
{
  crate,
  libraries,
  stdenv,
  version,
}: let
  # a version such as 4.10.0+2.12.1 is that of the bindings and that of the library
  libraryVersion = builtins.elemAt (builtins.match "[^+]*\\+(.*)" version) 0;

  build = attrs:
    stdenv.mkDerivation ({
        name = "librdkafka-${libraryVersion}";
        src = crate;
        outputs = ["out" "dev"];
        buildInputs = [libraries.liblz4-dev libraries.libssl-dev libraries.libzstd-dev libraries.zlib1g-dev];
        preConfigure = ''
          cd librdkafka
          patch -p1 <${./librdkafka/begin-again.patch}
          patch -p1 <${./librdkafka/monotonic-waits.patch}
          # asked for, but only the C library is built
          export CXX=$CC
        '';
        # its configure is not made by autoconf
        configurePlatforms = [];
        cxx = false;
        configureFlags = [
          "--disable-c11threads"
          "--disable-curl"
          "--disable-gssapi"
          "--disable-debug-symbols"
          "--enable-lz4-ext"
          "--enable-ssl"
          "--enable-zlib"
          "--enable-zstd"
        ];
        makeFlags = ["-C" "src"];
        postInstall = ''
          mkdir -p "$dev/lib"
          mv "$out/include" "$dev/include"
          mv "$out/lib/pkgconfig" "$dev/lib/pkgconfig"
          rm "$out"/lib/*.a "$out/lib/librdkafka.so"
          ln -s "$out/lib/librdkafka.so.1" "$dev/lib/librdkafka.so"
          # what links dynamically need not know what librdkafka itself is made of
          rm "$dev"/lib/pkgconfig/*-static.pc
          sed -i "s,^libdir=.*,libdir=$dev/lib,; s,^includedir=.*,includedir=$dev/include,; /^Requires.private/d" \
            "$dev"/lib/pkgconfig/*.pc
        '';
      }
      // attrs);
  package = build {};
in
  package
  // {
    # the same, built once more, to be compared
    again = build {again = true;};
    # What links to it is given the directory of headers; that names the library.
    dev = package.dev // {depends = [package];};
  }
