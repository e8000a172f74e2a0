# What `nix build .#NAME` builds.
{
  # packages of each example, by name
  examples,
  slipway,
  # this flake, as it is in the store
  source,
}: let
  inherit (builtins) attrNames concatMap filter listToAttrs map;
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
  // listToAttrs (map (name: {
    name = "example-${name}";
    value = examples.${name}.default;
  }) (filter (name: examples.${name} ? default) (attrNames examples)))
  // {
    default = slipway.defaultImages;
    image = slipway.defaultImages;
    image-all = slipway.allImages;
    kubectl = slipway.debs.kubectl.${buildPlatform.debian}.kubectl;
    # with its flake beside it, for the projects that `slipway init` writes
    slipway = derivation {
      inherit (slipway) system;
      name = "slipway";
      PATH = "${slipway.bootstrap}/bin";
      args = ["-e" "-c" "cp -r ${slipway.slipway} $out; chmod -R u+w $out; mkdir $out/share/slipway; ln -s ${source} $out/share/slipway/source"];
      builder = "${slipway.bootstrap}/bin/bash";
    };
  }
