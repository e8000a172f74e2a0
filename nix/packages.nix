# What `nix build .#NAME` builds.
{
  slipway,
  # this flake, as it is in the store
  source,
}: let
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
    # with its flake beside it, for the projects that `slipway init` writes
    slipway = derivation {
      name = "slipway";
      PATH = "${slipway.bootstrap}/bin";
      args = ["-e" "-c" "cp -r ${slipway.slipway} $out; chmod -R u+w $out; mkdir $out/share/slipway; ln -s ${source} $out/share/slipway/source"];
      builder = "${slipway.bootstrap}/bin/bash";
      system = "x86_64-linux";
    };
  }
  // listToAttrs (map (name: {
    name = "example-${name}";
    value = examples.${name}.default;
  }) (attrNames examples))
