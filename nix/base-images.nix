# Returns the base images of a slipway.lock as nested attribute sets, REFERENCE.PLATFORM. Each is a derivation with
# an OCI image layout of one image, whose blobs are links to seeds, and has the attribute `annotations`.
{
  # derivation: the static bash executable
  bash,
  # derivation: static bash and busybox in bin/ (toolchain/bootstrap.nix)
  bootstrap,
  # attribute set: content of slipway.lock
  lock,
  # attribute set: the functions of seeds.nix
  seeds,
  # string: system of the build machine, such as "x86_64-linux"
  system,
}: let
  inherit (builtins) baseNameOf elemAt foldl' map match toJSON;

  layout = pin: let
    # The reference's tag with the colon before it, or null.
    tag = elemAt (match "(.*/)?[^/:@]*(:[^/@]*)?(@.*)?" pin.reference) 1;
  in
    derivation {
      inherit system;
      name = "base-${baseNameOf pin.repository}";
      PATH = "${bootstrap}/bin";
      args = ["-e" ./base-image.sh];
      builder = "${bootstrap}/bin/bash";
      blobs = map (sha256: seeds.baseBlob {inherit bash pin sha256;}) ([pin.manifest] ++ pin.blobs);
      index = toJSON {
        schemaVersion = 2;
        manifests = [
          {
            inherit (pin) size;
            digest = "sha256:${pin.manifest}";
            mediaType = pin.media-type;
          }
        ];
      };
    }
    // {
      annotations = {
        "org.opencontainers.image.base.digest" = pin.digest;
        "org.opencontainers.image.base.name" = "${pin.repository}${
          if tag == null
          then ""
          else tag
        }";
      };
    };
in
  foldl' (all: pin: all // {${pin.reference} = (all.${pin.reference} or {}) // {${pin.platform} = layout pin;};}) {} (lock.base or [])
