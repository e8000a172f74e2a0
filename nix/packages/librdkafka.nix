# Returns a derivation with librdkafka for one target, with the outputs `out` and `dev`. The source is the
# copy in the crate rdkafka-sys, so the library always has the version of the bindings. Two patches change it;
# the header of each patch explains why: timeouts use the monotonic clock, and the client reconnects after no
# broker was available.
{
  # derivation: the .crate file of rdkafka-sys
  crate,
  # attribute set: Debian packages for the target, by name
  libraries,
  # attribute set: the target's build environment (toolchain/stdenv.nix)
  stdenv,
  # string: version of rdkafka-sys
  version,
}: let
  # A version such as 4.10.0+2.12.1 consists of the version of the bindings and the version of the library.
  libraryVersion = builtins.elemAt (builtins.match "[^+]*\\+(.*)" version) 0;

  library = name: libraries.${name} or (throw "librdkafka links with ${name}, which slipway.lock lacks; run: slipway add ${toString needed}");
  needed = ["liblz4-dev" "libssl-dev" "libzstd-dev" "zlib1g-dev"];

  build = attrs:
    stdenv.mkDerivation ({
        name = "librdkafka-${libraryVersion}";
        src = crate;
        outputs = ["out" "dev"];
        buildInputs = map library needed;
        preConfigure = ''
          cd librdkafka
          patch -p1 <${./librdkafka/begin-again.patch}
          patch -p1 <${./librdkafka/monotonic-waits.patch}
          # configure wants a C++ compiler, although only the C library is built.
          export CXX=$CC
        '';
        # librdkafka's configure script is not from autoconf.
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
          # Programs that link dynamically do not need to know what librdkafka links to.
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
    # a second build, for the check that compares both
    again = build {again = true;};
    # Builds use the output with the headers. Its dependency is the library.
    dev = package.dev // {depends = [package];};
  }
