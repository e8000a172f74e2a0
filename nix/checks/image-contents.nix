# Returns a derivation that checks the arguments of lib.image for files, users, packages and the configuration.
{
  # function: make-check.nix
  check,
  # function: image.nix
  image,
  # attribute set: target.nix for the platform of the images
  target,
}: let
  program = name: text:
    target.stdenv.mkDerivation {
      inherit name;
      phases = "install";
      installPhase = ''
        mkdir -p "$out/bin"
        echo 'int main(void) { return 0; } const char *text = "${text}";' | $CC -static -x c - -o "$out/bin/${name}"
      '';
    };
  tree = name: script:
    target.stdenv.mkDerivation {
      inherit name;
      phases = "make";
      makePhase = script;
    };

  font = tree "font" "echo font >$out";
  site = tree "site" ''
    mkdir -p "$out"/{bin,pages}
    echo hello >"$out/pages/index.html"
    ln -s ${font} "$out/pages/font"
    echo '#!/bin/sh' >"$out/bin/update"
    chmod +x "$out/bin/update"
  '';

  imageOf = package:
    image {
      inherit package;
      accounts.app = 1000;
      certificates = [(builtins.toFile "own.pem" "-----BEGIN CERTIFICATE-----\nown\n")];
      cmd = ["--port" "80"];
      # so that tar can list the layers
      compression = "gzip";
      contents = {
        "/etc/app.conf" = {
          source = builtins.toFile "app.conf" "port = 80\n";
          mode = "0640";
          owner = "root:app";
        };
        "/srv/site" = site;
      };
      entrypoint = ["bin/serve" "--verbose"];
      healthcheck = {
        test = ["CMD" "bin/serve" "--check"];
        interval = "10s";
      };
      labels."org.opencontainers.image.title" = "serve";
      packages = [(program "migrate" "")];
      self = {
        lastModifiedDate = "20240229123456";
        rev = "0123456789abcdef0123456789abcdef01234567";
      };
      stopSignal = "SIGINT";
      user = "app";
      volumes = ["/var/lib/app"];
      writable = ["/var/lib/app"];
    };
  package = program "serve" "one";
  built = imageOf package;
in
  check "image-contents" ./image-contents.sh {
    inherit font package site;
    inherit (target.platform) oci;
    exportReferencesGraph = built.graphs;
    image = built;
    other = imageOf (program "serve" "other");
  }
