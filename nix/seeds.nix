# Returns functions that make seeds: { crate, deb, executable, git, goModFile, goModule, goToolchain }. A seed is a file from outside with a
# hash, as a fixed-output derivation.
#
# Nix does not build a fixed-output derivation if its output is already in the store. `slipway seed` fetches
# the files in the way that this machine fetches packages, and adds them to the store. If a seed is missing,
# its derivation prints its name and fails, or fetches it if a mirror is set. Mirrors do not change the output
# path, which depends only on the name and the hash.
{
  # list of URLs: mirrors of Debian's archive, and templates of the URLs of crates, with {crate} and
  # {version}, and of bootstrap programs, with {program}. Nix tries only one URL, so the first of each kind is
  # used.
  mirrors ? [],
  # list of URLs: mirrors of Debian's security archive. By default the Debian mirror in `mirrors` with
  # -security appended.
  securityMirrors ? [],
  # string: system of the build machine, such as "x86_64-linux"
  system,
}: let
  inherit (builtins) baseNameOf elemAt filter match replaceStrings substring;

  # Debian versions can contain `~`, which is not valid in store path names.
  storeName = replaceStrings ["~"] ["-"];
  urlEncode = replaceStrings [":" "+"] ["%3A" "%2B"];
  # Remove the epoch, as in Debian's file names.
  withoutEpoch = version: elemAt (match "([0-9]+:)?(.*)" version) 1;

  # Returns the first URL that contains {MARKER}, or with the marker "" the first URL without any marker.
  # Slashes at the end are removed. Returns null if there is none.
  mirror = marker: urls: let
    hasMarker = url:
      if marker == ""
      then match ".*[{].*" url == null
      else match ".*[{]${marker}[}].*" url != null;
    found = filter hasMarker urls;
  in
    if found == []
    then null
    else elemAt (match "(.*[^/])/*" (elemAt found 0)) 0;
  debian = mirror "" mirrors;
  security =
    if securityMirrors != []
    then mirror "" securityMirrors
    else if debian != null
    then "${debian}-security"
    else null;
  crates = mirror "crate" mirrors;
  programs = mirror "program" mirrors;

  # Attributes of a derivation that fetches a URL.
  fetch = url: {
    inherit url;
    builder = "builtin:fetchurl";
    impureEnvVars = ["http_proxy" "https_proxy" "ftp_proxy" "all_proxy" "no_proxy"];
    preferLocalBuild = true;
  };
  missing = label: "seed ${label} is not in the store; run: slipway seed";
  fail = bash: label: {
    args = ["-c" "echo ${builtins.toJSON (missing label)} >&2; exit 1"];
    builder = "${bash}";
  };

  debLabel = pin: "${pin.name} ${pin.version} (${pin.architecture})";
  debAttrs = pin: {
    inherit system;
    inherit (pin) archive path;
    purl = "pkg:deb/debian/${pin.name}@${urlEncode pin.version}?arch=${pin.architecture}";
    outputHashAlgo = "sha256";
    size = toString pin.size;
  };

  # Attributes of a derivation that a program downloads. The store path that is fetched does not depend on it.
  clientOf = client: program: {
    client = "${client}/bin/${program}";
    clientDerivation = builtins.unsafeDiscardOutputDependency client.drvPath;
  };

  # Returns a derivation with what the go command downloads of a module version.
  go = {
    bash,
    client,
    kind,
    mode,
    pin,
  }: let
    inherit (pin) path version;
  in
    derivation ({
        inherit kind system;
        name = "go-${storeName (replaceStrings ["!"] ["-"] (baseNameOf path))}-${storeName version}";
        h1 = pin.h1 or "";
        module = path;
        moduleVersion = version;
        outputHash = pin.sha256;
        outputHashAlgo = "sha256";
        outputHashMode = mode;
        purl = "pkg:golang/${path}@${urlEncode version}";
      }
      // clientOf client "go"
      // fail bash "${path} ${version} (Go ${kind})");
in {
  # Returns a derivation with one executable of a Debian package, for the first builds, which have no program
  # that can unpack packages. `pin` is the package's entry in slipway.lock. The builder is always
  # builtin:fetchurl, because there is no shell yet. Without a mirror, the error message is its URL.
  executable = pin:
    derivation (debAttrs pin
      // {
        program = pin.executable;
        debSha256 = pin.sha256;
        name = storeName "${pin.name}-${withoutEpoch pin.version}";
        outputHash = pin.executable-sha256;
        outputHashMode = "recursive";
      }
      // (
        if programs == null
        then {
          builder = "builtin:fetchurl";
          url = missing (debLabel pin);
        }
        else
          fetch (replaceStrings ["{program}"] [(elemAt (match "(.*)[.]deb" (baseNameOf pin.path)) 0)] programs)
          // {executable = true;}
      ));

  # Returns a derivation with a .deb file.
  deb = {
    # derivation: the static bash executable, which prints the error message
    bash,
    # attribute set: the package's entry in slipway.lock
    pin,
  }: let
    base =
      if pin.archive == "debian"
      then debian
      else security;
  in
    derivation (debAttrs pin
      // {
        name = storeName (baseNameOf pin.path);
        outputHash = pin.sha256;
        outputHashMode = "flat";
      }
      // (
        if base == null
        then fail bash (debLabel pin)
        else fetch "${base}/${pin.path}"
      ));

  # Returns a derivation with the files of a git repository at a commit.
  git = {
    # derivation: the static bash executable, which prints the error message
    bash,
    # attribute set: an entry of `git` in slipway.lock
    repository,
  }: let
    inherit (repository) commit url;
    name = match ".*[/:]([A-Za-z0-9._+-]+)/*" url;
    short =
      if name == null
      then "repository"
      else elemAt name 0;
  in
    derivation ({
        inherit system;
        name = "git-${short}-${substring 0 7 commit}";
        outputHash = repository.sha256;
        outputHashAlgo = "sha256";
        outputHashMode = "recursive";
        purl = "pkg:generic/${short}@${commit}?vcs_url=git%2B${replaceStrings ["%" "&" "?" "#" "+"] ["%25" "%26" "%3F" "%23" "%2B"] url}";
      }
      // fail bash "${url} at ${commit} (git)");

  # Returns a derivation with a .crate file.
  crate = {
    # derivation: the static bash executable, which prints the error message
    bash,
    # derivation: a Rust toolchain, with which `slipway seed` downloads it on a machine without cargo
    client,
    # attribute set: the crate's entry in Cargo.lock
    package,
  }: let
    # Mirrors have only the crates of crates.io.
    isDefault = match ".*[/.]crates[.]io(-index)?/?" (package.source or "") != null;
  in
    derivation ({
        inherit system;
        name = storeName "${package.name}-${package.version}.crate";
        outputHash = package.checksum;
        outputHashAlgo = "sha256";
        outputHashMode = "flat";
        purl = "pkg:cargo/${package.name}@${urlEncode package.version}";
      }
      // (
        if crates == null || !isDefault
        then fail bash "${package.name} ${package.version} (crate)" // clientOf client "cargo"
        else fetch (replaceStrings ["{crate}" "{version}"] [package.name package.version] crates)
      ));

  # Returns a derivation with a blob of a base image, or with its manifest.
  baseBlob = {
    # derivation: the static bash executable, which prints the error message
    bash,
    # attribute set: an entry of `base` in slipway.lock
    pin,
    # string: SHA-256 of the blob, in hex
    sha256,
  }:
    derivation ({
        inherit system;
        name = sha256;
        outputHash = sha256;
        outputHashAlgo = "sha256";
        outputHashMode = "flat";
        purl = "pkg:oci/${baseNameOf pin.repository}@sha256%3A${pin.manifest}?repository_url=${urlEncode pin.repository}";
      }
      // fail bash "${pin.reference} (base image for ${pin.platform})");

  # Returns a derivation with the files of a Go module.
  goModule = {
    # derivation: the static bash executable, which prints the error message
    bash,
    # derivation: the Go toolchain, with which `slipway seed` downloads it
    client,
    # attribute set: an entry of `go.module` in slipway.lock
    pin,
  }:
    go {
      inherit bash client pin;
      kind = "module";
      mode = "recursive";
    };

  # Returns a derivation with the go.mod of a module version that only the module graph needs.
  goModFile = {
    # derivation: the static bash executable, which prints the error message
    bash,
    # derivation: the Go toolchain, with which `slipway seed` downloads it
    client,
    # attribute set: an entry of `go.mod-file` in slipway.lock
    pin,
  }:
    go {
      inherit bash client pin;
      kind = "go.mod";
      mode = "flat";
    };

  # Returns a derivation with a Go toolchain. Its directory is a GOROOT.
  goToolchain = {
    # derivation: the static bash executable, which prints the error message
    bash,
    # derivation: Debian's go, with which `slipway seed` downloads it
    client,
    # attribute set: an entry of `go.toolchain` in slipway.lock
    pin,
    # string: version of Go, such as "1.27.4"
    version,
  }:
    go {
      inherit bash client;
      kind = "toolchain";
      mode = "recursive";
      pin =
        pin
        // {
          path = "golang.org/toolchain";
          version = "v0.0.1-go${version}.linux-${pin.architecture}";
        };
    }
    // {inherit version;};
}
