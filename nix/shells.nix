# `nix develop .#NAME`: compiler, pkg-config, librdkafka and cargo for one target, as builds have them.
{slipway}: let
  inherit (builtins) mapAttrs;

  shell = target: extra:
    target.stdenv.mkDerivation (target.cargoEnvironment
      // {
        name = "slipway-${target.platform.debian}";
        buildInputs = [target.librdkafka.dev];
        configurePlatforms = [];
        cxx = false;
        nativeBuildInputs = [target.rust] ++ extra;
      });

  targets = mapAttrs (_: target: shell target []) slipway.targets;
in
  # The work on this repository itself: the build machine's own, and the formatter.
  targets // {default = shell slipway.build [slipway.formatter];}
