# Returns a derivation with the crates of a git repository in crates/, laid out as a cargo directory source.
# Each crate is a link to its directory in a copy of the repository, so that relative paths out of the
# directory work. cargo searches the workspace root along the path of the link, so each manifest names its
# workspace root.
{
  # derivation: the static bash executable
  bash,
  # derivation: static bash and busybox in bin/ (toolchain/bootstrap.nix)
  bootstrap,
  # attribute set: an entry of `git` in slipway.lock
  repository,
  # attribute set: the functions of seeds.nix
  seeds,
  # string: system of the build machine, such as "x86_64-linux"
  system,
}: let
  inherit (builtins) attrNames concatStringsSep map;
  inherit (repository) crates;
in
  derivation {
    inherit system;
    PATH = "${bootstrap}/bin";
    name = "crates-${builtins.substring 0 7 repository.commit}";
    args = ["-e" ./repository.sh];
    builder = "${bootstrap}/bin/bash";
    # lines: NAME|DIRECTORY
    crates = concatStringsSep "\n" (map (name: "${name}|${crates.${name}}") (attrNames crates));
    files = seeds.git {inherit bash repository;};
  }
