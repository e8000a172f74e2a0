# Returns a derivation that checks runtime-files.nix: an image has the files that its libraries open and the
# files of runtimePackages, and no other files.
{
  # derivation: static bash and busybox in bin/ (toolchain/bootstrap.nix)
  bootstrap,
  # string: system of the build machine, such as "x86_64-linux"
  system,
  # attribute set: target.nix for the build machine
  target,
}: let
  inherit (target) stdenv;

  tree = name: script:
    stdenv.mkDerivation {
      inherit name;
      phases = "make";
      makePhase = script;
    };
  data = name: files:
    tree name ''
      for file in ${files}; do
        mkdir -p "$out/$(dirname "$file")"
        echo ${name} >"$out/$file"
      done
    '';

  magic = data "libmagic1" "lib/libmagic.so.1";
  program = tree "program" "mkdir -p $out/bin; echo ${magic} iconv_open >$out/bin/program";

  files = import ../runtime-files.nix {inherit bootstrap system;} {
    package = program;
    packages = [(tree "tool" "mkdir -p $out/bin; echo >$out/bin/migrate")];
    runtimePackages = [
      (data "tzdata" "share/zoneinfo/UTC share/doc/tzdata/copyright")
      (data "more" "share/zoneinfo/Local etc/more")
    ];
    target = {
      inherit (stdenv) platform;
      gconv = data "gconv" "lib/${stdenv.platform.gnu}/gconv/gconv-modules";
      libraries = {
        libmagic1 = magic;
        libmagic-mgc = data "libmagic-mgc" "lib/file/magic.mgc share/misc/magic.mgc";
        # This library is not in the closure.
        libthai0 = data "libthai0" "lib/libthai.so.0";
        libthai-data = data "libthai-data" "share/libthai/thbrk.tri";
      };
    };
  };
in
  tree "runtime-files" ''
    cd ${files}
    find . -type l | sort >"$NIX_BUILD_TOP/found"
    diff - "$NIX_BUILD_TOP/found" <<'END'
    ./etc/more
    ./usr/bin/migrate
    ./usr/lib/file
    ./usr/lib/${stdenv.platform.gnu}/gconv
    ./usr/share/misc/magic.mgc
    ./usr/share/zoneinfo/Local
    ./usr/share/zoneinfo/UTC
    END
    [[ $(<usr/lib/file/magic.mgc) = libmagic-mgc && $(<usr/share/zoneinfo/UTC) = tzdata ]]
    touch "$out"
  ''
