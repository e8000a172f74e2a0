# Everything that comes from outside, as fixed-output derivations.
#
# Nix never runs a fixed-output derivation whose path is in the store already. So `slipway seed`
# puts the files there, fetched as this machine is set up to fetch packages, and what the
# derivations below do when they run after all is to say which seed is missing.
{system}: let
  # Store names may not contain `~`, which Debian versions do.
  storeName = builtins.replaceStrings ["~"] ["-"];
  urlEncode = builtins.replaceStrings [":" "+"] ["%3A" "%2B"];
  # The epoch is no part of Debian's file names either.
  withoutEpoch = version: builtins.elemAt (builtins.match "([0-9]+:)?(.*)" version) 1;

  missing = label: "seed ${label} is not in the store; run: slipway seed";

  debLabel = pin: "${pin.name} ${pin.version} (${pin.architecture})";

  debAttrs = pin: {
    inherit system;
    inherit (pin) archive path;
    purl = "pkg:deb/debian/${pin.name}@${urlEncode pin.version}?arch=${pin.architecture}";
    outputHashAlgo = "sha256";
    size = toString pin.size;
  };
in {
  # A program out of a Debian package, for the empty sandbox in which nothing can unpack one yet.
  # Nix's own downloader stands in as the builder, since there is no shell to print the message.
  executable = pin:
    derivation (debAttrs pin
      // {
        inherit (pin) executable;
        builder = "builtin:fetchurl";
        debSha256 = pin.sha256;
        name = storeName "${pin.name}-${withoutEpoch pin.version}";
        outputHash = pin.executable-sha256;
        outputHashMode = "recursive";
        url = missing (debLabel pin);
      });

  # A Debian package file, as the archive has it.
  deb = {
    bash,
    pin,
  }:
    derivation (debAttrs pin
      // {
        args = ["-c" "echo ${builtins.toJSON (missing (debLabel pin))} >&2; exit 1"];
        builder = "${bash}";
        name = storeName (baseNameOf pin.path);
        outputHash = pin.sha256;
        outputHashMode = "flat";
      });

  # A crate file, as the registry has it; `package` is its entry in Cargo.lock.
  crate = {
    bash,
    package,
  }:
    derivation {
      inherit system;
      args = ["-c" "echo ${builtins.toJSON (missing "${package.name} ${package.version} (crate)")} >&2; exit 1"];
      builder = "${bash}";
      name = storeName "${package.name}-${package.version}.crate";
      outputHash = package.checksum;
      outputHashAlgo = "sha256";
      outputHashMode = "flat";
      purl = "pkg:cargo/${package.name}@${urlEncode package.version}";
    };
}
