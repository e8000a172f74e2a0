# An OCI image layout of a package for its target: its runtime closure and the few files a program
# expects below /. Debian packages and other libraries are compressed once, each as a layer in a
# derivation of its own, so that a new build of the program makes no layer but its own.
{
  bootstrap,
  pack,
  system,
}: {
  # the platform, as default.nix makes it
  target,
  # what to run, and its path in the package
  package,
  entrypoint,
  annotations ? {},
  cmd ? [],
  # zstd or gzip
  compression ? "zstd",
  env ? {},
  # "8080" or "53/udp"
  expose ? [],
  labels ? {},
  maxLayers ? 100,
  user ? "65532:65532",
  workdir ? "/",
}: let
  inherit (builtins) concatMap filter map match placeholder toFile toJSON;

  packer = name: args:
    derivation ({
        inherit name system;
        builder = "${pack}/bin/slipway-pack";
      }
      // args);

  layer = name: args:
    packer "${name}-layer" {
      args = ["layer" "--out" (placeholder "out") "--compression" compression] ++ args;
    };

  # What the package may refer to when it runs, as far as can be told before it is built.
  isRuntime = input: input.outputName == "out" && match ".*-dev" (input.pin.name or "") == null;
  inputs = filter isRuntime (import ./closure.nix {
      key = input: input.outPath;
      next = input: input.runtimeInputs or [] ++ input.depends or [];
    }
    package.runtimeInputs);

  root = derivation {
    inherit system;
    PATH = "${bootstrap}/bin";
    name = "image-root";
    args = ["-e" ./image-root.sh];
    builder = "${bootstrap}/bin/bash";
    certificates = "${target.libraries.ca-certificates}/share/ca-certificates/mozilla";
  };
in
  packer "image-${target.platform.debian}" {
    args =
      ["image" "--out" (placeholder "out") "--graph" "closure" "--max-layers" (toString maxLayers)]
      ++ [
        "--config"
        (toFile "image.json" (toJSON {
          inherit annotations cmd compression expose labels user workdir;
          entrypoint = [(builtins.unsafeDiscardStringContext "${package}/${entrypoint}")];
          env = {SSL_CERT_FILE = "/etc/ssl/certs/ca-certificates.crt";} // env;
          platform = target.platform.oci;
        }))
      ]
      ++ concatMap (dir: ["--layer" dir])
      ([(layer "root" ["--root" root])] ++ map (input: layer (baseNameOf input.name) [input]) inputs);
    exportReferencesGraph = ["closure" package];
  }
