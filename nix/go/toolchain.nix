# Returns the seed of a Go toolchain for the build machine.
{
  # derivation: the static bash executable
  bash,
  # the build machine's row of platforms.nix
  buildPlatform,
  # attribute set: `go` of this repository's slipway.lock
  default,
  # derivation: Debian's go, with which `slipway seed` downloads the toolchain
  golang,
  # attribute set: `go` of the project's slipway.lock
  locked,
  # attribute set: the functions of seeds.nix
  seeds,
  # string or null: the version. null is the version in the project's slipway.lock, or the default.
  version,
}: let
  inherit (builtins) filter head;

  wanted =
    if version == null
    then locked.version or default.version
    else version;
  pinsOf = lock:
    if (lock.version or null) == wanted
    then filter (pin: pin.architecture == buildPlatform.debian) lock.toolchain or []
    else [];
  found = pinsOf locked ++ pinsOf default;
in
  if found == []
  then throw "slipway.lock has no Go ${wanted} for ${buildPlatform.debian}; let slipway.toml say version = \"${wanted}\" in [go], and run: slipway lock"
  else
    seeds.goToolchain {
      inherit bash;
      client = golang;
      pin = head found;
      version = wanted;
    }
