# What `nix build .#NAME` builds.
{slipway}: let
  inherit (builtins) attrNames concatMap listToAttrs;
  inherit (slipway) buildPlatform reporters targets;

  ofPlatform = name: [
    {
      name = "image-${name}";
      value = reporters.${name}.image;
    }
    {
      name = "librdkafka-${name}";
      value = targets.${name}.librdkafka;
    }
    {
      name = "reporter-${name}";
      value = reporters.${name}.program;
    }
  ];
in
  listToAttrs (concatMap ofPlatform (attrNames targets))
  // {
    default = slipway.defaultImages;
    image = slipway.defaultImages;
    image-all = slipway.allImages;
    kubectl = slipway.debs.kubectl.${buildPlatform.debian}.kubectl;
    slipway = slipway.slipway;
  }
