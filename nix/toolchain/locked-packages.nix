# Returns the packages of slipway.lock as nested attribute sets, SET.ARCHITECTURE.NAME. SET is a set of
# slipway.toml, ARCHITECTURE is Debian's name, and each package is a derivation (debian-package.nix) with the
# attributes `depends`, `pin` and `src`.
{
  # derivation: the static bash executable
  bash,
  # function: debian-package.nix
  deb,
  # attribute set: content of slipway.lock
  lock,
  # attribute set: platforms.nix
  platforms,
  # attribute set: the functions of seeds.nix
  seeds,
}: let
  inherit (builtins) attrValues elem filter foldl' head listToAttrs map mapAttrs;

  platformOf = architecture: head (filter (p: p.debian == architecture) (attrValues platforms));

  withDepends = import ../transitive-closure.nix {
    key = package: package.pin.name;
    next = package: package.depends;
  };

  packagesOf = set: architecture: let
    pins = filter (pin: elem set pin.sets && elem architecture pin.for) lock.package;
    platform = platformOf architecture;
    dependsOf = listToAttrs (map (pin: {
        inherit (pin) name;
        value = pin.depends;
      })
      pins);
    reachable = import ../transitive-closure.nix {
      key = name: name;
      next = name: dependsOf.${name};
    };
    # The names of all direct and indirect dependencies, as attributes, by the package's name.
    indirect = mapAttrs (_: depends:
      listToAttrs (map (name: {
        inherit name;
        value = null;
      }) (reachable depends)))
    dependsOf;

    # Debian packages may depend on each other, such as libssl3t64 and openssl-provider-legacy. In such a cycle, a
    # package keeps only the dependencies whose names sort before its own, so that no cycle is left. libc6 keeps
    # none: it loads libgcc_s only to unwind a cancelled thread.
    directDepends = pin:
      if pin.name == "libc6"
      then []
      else filter (name: name < pin.name || !(indirect.${name} ? ${pin.name})) pin.depends;

    packages = listToAttrs (map (pin: {
        inherit (pin) name;
        value = package pin;
      })
      pins);

    package = pin: let
      depends = map (name: packages.${name}) (directDepends pin);
      src = seeds.deb {inherit bash pin;};
    in
      deb
      {
        inherit pin platform src;
        depends = withDepends depends;
        # A set without libc6 has only packages without programs.
        libc =
          if pin.name == "libc6"
          then null
          else packages.libc6 or null;
      }
      // {inherit depends pin src;};
  in
    packages;

  sets = foldl' (all: pin: foldl' (all: set: all // {${set} = true;}) all pin.sets) {} lock.package;
  architectures = set:
    foldl'
    (all: pin: foldl' (all: architecture: all // {${architecture} = true;}) all pin.for)
    {}
    (filter (pin: elem set pin.sets) lock.package);
  ofSet = set: let
    locked = architectures set;
  in
    listToAttrs (map (platform: {
        name = platform.debian;
        value =
          if locked ? ${platform.debian}
          then packagesOf set platform.debian
          else throw "slipway.lock has no set ${set} for ${platform.debian}; add it to the set's architectures in slipway.toml and run: slipway lock";
      })
      (attrValues platforms));
in
  mapAttrs (set: _: ofSet set) sets
