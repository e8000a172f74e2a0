# Returns the output `devShells` of the flake for one build machine. Each shell has the compiler, pkg-config,
# librdkafka and cargo for one target, as in a build.
{
  # attribute set: default.nix for the build machine
  slipway,
}: let
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
  # The default shell is for work on this repository: it targets the build machine and has the formatter.
  targets // {default = shell slipway.build [slipway.formatter];}
