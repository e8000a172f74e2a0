# Returns a function from a package to a derivation with an OCI image layout
# (https://github.com/opencontainers/image-spec/blob/main/image-layout.md). The image has the package's
# runtime closure, the files below / that every program expects (image-root.sh), and the files that its
# libraries open (runtime-files.nix).
#
# Each library in `likely` becomes a layer in a derivation of its own, so that a change of the program
# compresses only the program's layer again. The closure is known only after the package is built. The image's
# derivation packs the store paths that have no layer yet.
{
  # derivation: static bash and busybox in bin/ (toolchain/bootstrap.nix)
  bootstrap,
  # derivation of slipway-pack, the program that writes image layouts
  pack,
  # string: system of the build machine, such as "x86_64-linux"
  system,
  # attribute set: target.nix for each platform
  targets,
}: let
  inherit (builtins) attrValues concatMap filter head map match placeholder toFile toJSON;
in
  {
    # derivation: the package to run, from Slipway, nixpkgs or another flake
    package,
    # string: path of the program, relative to the package
    entrypoint ? "bin/${(package.meta or {}).mainProgram or package.pname or package.name}",
    # attribute set: the package's target, from lib.targets. By default it is the target of the package's
    # `platformName`, or the one with the package's system.
    target ? let
      nixSystem = ((package.stdenv or {}).hostPlatform or {}).system or package.system;
      fitting = filter (target: target.platform.nix == nixSystem) (attrValues targets);
    in
      if package ? platformName
      then targets.${package.platformName}
      else if fitting == []
      then throw "${package.name} is for ${nixSystem}, which is not a platform of Slipway; name a target"
      else head fitting,
    # attribute set of strings: annotations of the manifest
    annotations ? {},
    # list of strings: default arguments of the program
    cmd ? [],
    # string: compression of the layers, "zstd" or "gzip"
    compression ? "zstd",
    # attribute set of strings: environment variables
    env ? {},
    # list of strings: exposed ports, such as "8080" or "53/udp"
    expose ? [],
    # attribute set of strings: labels of the image's configuration
    labels ? {},
    # list of derivations: packages whose libraries the package probably needs. By default these are its
    # runtimeInputs.
    likely ? package.runtimeInputs or [],
    # integer: maximum number of layers
    maxLayers ? 100,
    # list of Debian packages: packages whose files the program opens at run time. The image has links to
    # these files at their paths on a Debian system.
    runtimePackages ? [],
    # string: user and group, UID:GID
    user ? "65532:65532",
    # string: working directory
    workdir ? "/",
  }: let
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

    # The libraries among the packages, by Debian's naming rules. A -dev package represents its dependencies.
    isDev = input: match ".*-dev" (input.pin.name or "") != null;
    isLibrary = input: !isDev input && match "lib.*|zlib1g" (input.pin.name or "lib") != null && input.outputName == "out";
    ready = filter isLibrary (import ./transitive-closure.nix {
        key = input: input.outPath;
        next = input:
          if isDev input || isLibrary input
          then filter isLibrary (input.runtimeInputs or [] ++ input.depends or [])
          else [];
      }
      (likely ++ filter (input: !(input ? pin)) (package.runtimeInputs or []) ++ base));
    # libraries that stdenv links to every program
    base =
      if package ? runtimeInputs
      then map (name: target.libraries.${name}) (filter (name: target.libraries ? ${name}) ["libc6" "libgcc-s1" "libstdc++6"])
      else [];

    files = import ./runtime-files.nix {inherit bootstrap system;} {inherit package runtimePackages target;};

    root = derivation {
      inherit system;
      PATH = "${bootstrap}/bin";
      name = "image-root";
      args = ["-e" ./image-root.sh];
      builder = "${bootstrap}/bin/bash";
      certificates = "${target.libraries.ca-certificates}/share/ca-certificates/mozilla";
    };
    graphs =
      ["closure" package]
      ++ (
        if files == null
        then []
        else ["files" files]
      );
  in
    packer "image-${target.platform.debian}" {
      args =
        ["image" "--out" (placeholder "out") "--graph" "closure" "--max-layers" (toString maxLayers)]
        ++ (
          if files == null
          then []
          else ["--graph" "files" "--root" files]
        )
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
        ([(layer "root" ["--root" root])] ++ map (input: layer (baseNameOf input.name) [input]) ready);
      exportReferencesGraph = graphs;
    }
    # list: the image's contents, as a value for exportReferencesGraph
    // {inherit graphs;}
