# Returns the packages slipway-image and slipway-image-PLATFORM: images with the command line, Nix's client and git, as a
# small Debian system. Continuous integration runs steps in them, and lays programs of its own over them, so programs are
# where Debian has them, and the store is empty.
{
  # attribute set: the packages of own-release.nix for the build machine
  programs,
  # path: root directory of this repository
  root,
  # attribute set: default.nix for the build machine
  slipway,
}: let
  inherit (builtins) attrNames attrValues filter fromTOML listToAttrs map placeholder readFile replaceStrings toFile toJSON;
  inherit (slipway) bootstrap pack platforms seeds system;
  inherit ((fromTOML (readFile (root + "/Cargo.toml"))).workspace) package;

  # Returns a derivation with files that lie at / in the image.
  tree = name: attrs:
    derivation ({
        inherit name system;
        PATH = "${bootstrap}/bin";
        builder = "${bootstrap}/bin/bash";
      }
      // attrs);

  imageOf = name: let
    platform = platforms.${name};
    debs = slipway.debs.client.${platform.debian};
    executable = name: seeds.executable slipway.debs.bootstrap.${platform.debian}.${name}.pin;

    base = tree "client-${platform.debian}" {
      inherit bootstrap;
      args = ["-e" ./own-image.sh];
      bash = executable "bash-static";
      busybox = executable "busybox-static";
      certificates = "${slipway.targets.${name}.libraries.ca-certificates}/share/ca-certificates/mozilla";
      packages = map (package: package.src) (attrValues debs);
    };
    baseLayer = derivation {
      inherit system;
      name = "client-${platform.debian}-layer";
      args = ["layer" "--out" (placeholder "out") "--root" base];
      builder = "${pack}/bin/slipway-pack";
    };

    command = tree "slipway-${platform.debian}" {
      args = ["-e" "-c" ''mkdir "$out"; cp -r ${programs."release-${replaceStrings ["/"] ["-"] platform.oci}-musl"} "$out/usr"''];
    };
  in
    derivation {
      inherit system;
      name = "slipway-image-${platform.debian}";
      args = [
        "image"
        "--out"
        (placeholder "out")
        "--graph"
        "closure"
        "--root"
        command
        "--layer"
        baseLayer
        "--config"
        (toFile "image.json" (toJSON {
          # CI starts a shell in the image, so there is no entrypoint.
          cmd = ["bash"];
          env = {
            PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
            SSL_CERT_FILE = "/etc/ssl/certs/ca-certificates.crt";
          };
          labels = {
            "org.opencontainers.image.description" = "The command line of Slipway, with Nix and git";
            "org.opencontainers.image.licenses" = package.license;
            "org.opencontainers.image.source" = package.repository;
            "org.opencontainers.image.title" = "slipway";
            "org.opencontainers.image.version" = package.version;
          };
          platform = platform.oci;
        }))
      ];
      builder = "${pack}/bin/slipway-pack";
      exportReferencesGraph = ["closure" command];
    };

  names = filter (name: platforms.${name}.builds) (attrNames platforms);
in
  listToAttrs (map (name: {
      name = "slipway-image-${name}";
      value = imageOf name;
    })
    names)
  // {slipway-image = slipway.index (map imageOf names);}
