# slipway.lock as packages: debs.SET.ARCHITECTURE.NAME, each a store path (deb.nix).
{
  bash,
  deb,
  lock,
  platforms,
  seeds,
}: let
  inherit (builtins) attrValues elem filter foldl' head listToAttrs map;

  platformOf = architecture: head (filter (p: p.debian == architecture) (attrValues platforms));

  # The C library stands at the bottom: it loads libgcc_s only to unwind a cancelled thread.
  directDepends = pin:
    if pin.name == "libc6"
    then []
    else pin.depends;

  withDepends = import ../closure.nix {
    key = package: package.pin.name;
    next = package: package.depends;
  };

  packagesOf = set: architecture: let
    pins = filter (pin: elem set pin.sets && elem architecture pin.for) lock.package;
    platform = platformOf architecture;
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
        # a package without code can do without
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
  builtins.mapAttrs (set: _: ofSet set) sets
