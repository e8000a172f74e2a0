# What `nix build .#NAME` builds.
{slipway}: let
  inherit (builtins) attrNames listToAttrs map;
  inherit (slipway) examples reporters targets;
in
  {
    default = slipway.allImages;
    image = slipway.allImages;
    image-aarch64 = reporters.aarch64.image;
    image-x86_64 = reporters.x86_64.image;
    kubectl = slipway.debs.kubectl.amd64.kubectl;
    librdkafka-aarch64 = targets.aarch64.librdkafka;
    librdkafka-x86_64 = targets.x86_64.librdkafka;
    reporter-aarch64 = reporters.aarch64.program;
    reporter-x86_64 = reporters.x86_64.program;
    slipway = slipway.slipway;
  }
  // listToAttrs (map (name: {
    name = "example-${name}";
    value = examples.${name}.default;
  }) (attrNames examples))
