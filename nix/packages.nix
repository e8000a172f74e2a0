# Returns the output `packages` of the flake for one build machine, an attribute set of derivations.
{
  # attribute set: the packages of each example, by the example's name
  examples,
  # attribute set: default.nix for the build machine
  slipway,
  # string: store path of this flake
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
      name = "image-debug-${name}";
      value = reporters.${name}.image.debug;
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

  # The command, with a link to this flake in share/slipway/source. `slipway init` writes projects that use
  # it.
  command =
    derivation {
      inherit (slipway) system;
      name = "slipway";
      PATH = "${slipway.bootstrap}/bin";
      args = ["-e" "-c" "cp -r ${slipway.slipway} $out; chmod -R u+w $out; mkdir $out/share/slipway; ln -s ${source} $out/share/slipway/source"];
      builder = "${slipway.bootstrap}/bin/bash";
    }
    // {
      meta = {
        description = "Multi-architecture OCI images of programs with C libraries, from Debian's packages";
        license = map (spdxId: {inherit spdxId;}) ["MIT" "Apache-2.0"];
        mainProgram = "slipway";
        platforms = map (platform: platform.nix) (filter (platform: platform.builds) (builtins.attrValues slipway.platforms));
      };
    };
in
  listToAttrs (concatMap ofPlatform (attrNames targets))
  // listToAttrs (map (name: {
    name = "example-${name}";
    value = examples.${name}.default;
  }) (filter (name: examples.${name} ? default) (attrNames examples)))
  // {
    default = command;
    inherit (slipway) go golang;
    image = slipway.defaultImages;
    image-all = slipway.allImages;
    image-debug = slipway.debugImages;
    kubectl = slipway.debs.kubectl.${buildPlatform.debian}.kubectl;
    slipway = command;
  }
