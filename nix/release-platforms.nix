# Returns the table of platforms that release files are made for, as an attribute set. `slipway release` builds
# the package release-NAME for the rows that a project has.
#
#   default     bool: whether `slipway release` builds it if no platform is named. Only for programs in Go without C,
#               if the platform is not Linux
#   glibc       string: the oldest version of glibc that programs run with, if `link` is "portable"
#   go          attribute set of strings: environment variables with which Go compiles for the platform
#   libc        string: the C library of programs for Linux, "glibc" or "musl"
#   libraries   string: how programs get Debian's libraries, if `link` is "portable" (toolchain/portable.nix)
#   link        string: what programs need of the system that they run on:
#                 "portable"  a Linux distribution whose glibc is not older than `glibc`
#                 "static"    no libraries but those of the system's vendor
#                 "pure"      the same, and neither programs in C nor Go with C can be compiled
#   oci         string: OS/ARCHITECTURE or OS/ARCHITECTURE/VARIANT, in words of the OCI image specification
#   target      string or null: name of the row of platforms.nix, or of release-targets.nix, whose compilers are
#               used. null if there are none. Programs in Go without C need none.
{
  # string: the wanted version of glibc. Some platforms need a later one.
  glibc,
  # bool: whether there is Apple's SDK for macOS
  hasMacosSdk ? false,
  # string: how programs get Debian's libraries (toolchain/portable.nix)
  libraries ? "static",
  # attribute set: platforms.nix
  platforms,
}: let
  inherit (builtins) attrNames elem listToAttrs map replaceStrings;

  row = fields: {
    name =
      replaceStrings ["/"] ["-"] fields.oci
      + (
        if fields.libc or "" == "musl"
        then "-musl"
        else ""
      );
    value = fields;
  };

  linux = libc: target:
    row (
      {
        inherit libc;
        inherit (platforms.${target}) default oci;
        go = platforms.${target}.go // {GOOS = "linux";};
      }
      // (
        if libc == "musl"
        then {
          link = "static";
          target = "${target}_musl";
        }
        else {
          inherit target;
          libraries =
            if elem libraries ["bundled" "static"]
            then libraries
            else throw "${libraries} is no way to get libraries; these are: bundled, static";
          glibc = let
            oldest = platforms.${target}.glibc or glibc;
          in
            if builtins.compareVersions oldest glibc > 0
            then oldest
            else glibc;
          link = "portable";
        }
      )
    );

  other = default: os: architecture: fields:
    row ({
        inherit default;
        go = {
          GOARCH = architecture;
          GOOS = os;
        };
        link = "pure";
        oci = "${os}/${architecture}";
        target = null;
      }
      // fields);

  darwin = architecture: target:
    other true "darwin" architecture {
      inherit target;
      link =
        if hasMacosSdk
        then "static"
        else "pure";
    };
in
  listToAttrs (
    map (linux "glibc") (attrNames platforms)
    ++ map (linux "musl") (attrNames platforms)
    ++ [
      (darwin "amd64" "x86_64_darwin")
      (darwin "arm64" "aarch64_darwin")
      (other false "freebsd" "amd64" {})
      (other false "freebsd" "arm64" {})
      (other false "wasip1" "wasm" {target = "wasm32_wasip1";})
      (other true "windows" "amd64" {
        link = "static";
        target = "x86_64_windows";
      })
      (other true "windows" "arm64" {})
    ]
  )
