# Returns the table of platforms that release files are made for, as an attribute set. `slipway release` builds
# the package release-NAME for the rows that a project has.
#
#   default     bool: whether `slipway release` builds it if no platform is named
#   glibc       string: the oldest version of glibc that programs run with, if `link` is "portable"
#   go          attribute set of strings: environment variables with which Go compiles for the platform
#   link        string: what programs need of the system that they run on:
#                 "portable"  a Linux distribution whose glibc is not older than `glibc`
#                 "go"        what Go needs. Only programs in Go without C can be built.
#   oci         string: OS/ARCHITECTURE or OS/ARCHITECTURE/VARIANT, in words of the OCI image specification
#   target      string or null: name of the row of platforms.nix whose compilers are used. null is the build
#               machine's row: programs in Go need no others.
{
  # string: the wanted version of glibc. Some platforms need a later one.
  glibc,
  # attribute set: platforms.nix
  platforms,
}: let
  inherit (builtins) attrNames listToAttrs map replaceStrings;

  row = fields: {
    name = replaceStrings ["/"] ["-"] fields.oci;
    value = fields;
  };

  linux = target:
    row {
      inherit target;
      inherit (platforms.${target}) default oci;
      glibc = let
        oldest = platforms.${target}.glibc or glibc;
      in
        if builtins.compareVersions oldest glibc > 0
        then oldest
        else glibc;
      go = platforms.${target}.go // {GOOS = "linux";};
      link = "portable";
    };

  pure = default: os: architecture:
    row {
      inherit default;
      go = {
        GOARCH = architecture;
        GOOS = os;
      };
      link = "go";
      oci = "${os}/${architecture}";
      target = null;
    };
in
  listToAttrs (
    map linux (attrNames platforms)
    ++ [
      (pure true "darwin" "amd64")
      (pure true "darwin" "arm64")
      (pure false "freebsd" "amd64")
      (pure false "freebsd" "arm64")
      (pure false "wasip1" "wasm")
      (pure true "windows" "amd64")
      (pure true "windows" "arm64")
    ]
  )
