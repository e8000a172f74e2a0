# Returns everything that this flake builds on one build machine, as an attribute set.
{
  # list of URLs, as in seeds.nix
  mirrors ? [],
  # path: root directory of this repository
  root,
  # list of URLs, as in seeds.nix
  securityMirrors ? [],
  # string: system of the build machine, such as "x86_64-linux"
  system,
}: let
  inherit (builtins) attrNames concatStringsSep filter fromTOML head mapAttrs readFile;

  lock = fromTOML (readFile (root + "/slipway.lock"));
  cargoLock = fromTOML (readFile (root + "/Cargo.lock"));
  platforms = import ./platforms.nix;
  buildPlatformName = head (filter (name: platforms.${name}.nix == system) (attrNames platforms));
  buildPlatform = platforms.${buildPlatformName};
  seeds = import ./seeds.nix {inherit mirrors securityMirrors system;};

  # The first derivations: two static programs, and patchelf from Debian packages that are not patched yet.
  # All other derivations use them.
  executable = name: seeds.executable debs.bootstrap.${buildPlatform.debian}.${name}.pin;
  bash = executable "bash-static";
  bootstrap = import ./toolchain/bootstrap.nix {
    inherit bash system;
    busybox = executable "busybox-static";
  };
  raw = name: debs.cc.${buildPlatform.debian}.${name}.src;
  patchelf = import ./toolchain/patchelf.nix {
    inherit bootstrap buildPlatform system;
    libs = map raw ["libc6" "libgcc-s1" "libstdc++6"];
    patchelf = raw "patchelf";
  };

  deb = import ./toolchain/debian-package.nix {inherit bootstrap patchelf system;};
  debsOf = lock: import ./toolchain/locked-packages.nix {inherit bash deb lock platforms seeds;};
  debs = debsOf lock;

  # Returns the layout of a base image that a slipway.lock pins, for a platform such as "linux/arm64".
  baseOf = lock: reference: platform: let
    bases = import ./base-images.nix {inherit bash bootstrap lock seeds system;};
    platforms = bases.${reference} or (throw "slipway.lock has no base image ${reference}; run: slipway add --base ${reference}");
  in
    platforms.${platform} or (throw "the base image ${reference} has no image for ${platform}, but for ${concatStringsSep ", " (attrNames platforms)}; name another one, or leave the platform out of `platforms`");

  crateOf = name: let
    package = head (filter (package: package.name == name) cargoLock.package);
  in {
    crate = seeds.crate {
      inherit bash package;
      inherit (build.rust) client;
    };
    inherit (package) version;
  };

  # derivation: Debian's go, with which `slipway lock` and `slipway seed` download Go toolchains
  golang = derivation {
    inherit system;
    name = "golang";
    PATH = "${bootstrap}/bin";
    args = ["-e" "-c" "mkdir -p $out/bin; ln -s ${debs.go.${buildPlatform.debian}."golang-1.24-go"}/lib/go-1.24/bin/go $out/bin"];
    builder = "${bootstrap}/bin/bash";
  };

  # derivation: the default Go toolchain
  go = import ./go/toolchain.nix {
    inherit bash buildPlatform golang seeds;
    default = lock.go;
    locked = {};
    version = null;
  };

  # Returns the further targets of release files.
  releaseTargetsWith = {
    # as in release-targets.nix
    macosSdk ? null,
    # as for targetsWith
    tools ? {},
  }:
    import ./release-targets.nix {
      inherit bash bootstrap buildPlatform debs golang macosSdk patchelf platforms seeds system targets;
      buildTarget = build;
      goDefault = lock.go;
      pinnedTools = tools;
    };

  # the build machine's entry of `targets`
  build = targets.${buildPlatformName};
  # attribute set: target.nix for each platform, by name
  targets = targetsWith {inherit (debs) libraries;};
  # Returns `targets` with other Debian packages, such as those of a project's slipway.lock.
  targetsWith = {
    # attribute set: Debian packages for the targets, ARCHITECTURE.NAME
    libraries,
    # attribute set: further Debian packages for the build machine, by name
    tools ? {},
  }:
    mapAttrs
    (platformName: platform:
      import ./target.nix {
        inherit bash bootstrap buildPlatform crateOf patchelf platform platformName seeds system;
        debs = debs // {inherit libraries;};
        inherit golang;
        goDefault = lock.go;
        pinnedTools = tools;
        buildTarget =
          if platformName == buildPlatformName
          then null
          else build;
      })
    platforms;

  # This repository's programs that run on the build machine.
  ownRust = args:
    build.buildRust ({
        inherit root;
        cxx = false;
      }
      // args);
  pack = ownRust {packages = ["slipway-pack"];};
  slipway = commandFor build {};
  # Returns the command line for a target. `link` is as in release.nix.
  commandFor = target: link: let
    isOwn = target.platform.nix == system;
  in
    target.buildRust {
      inherit link root;
      cxx = false;
      builtFor =
        if isOwn
        then null
        else slipway.dependencies;
      packages = ["slipway"];
      postInstall = ''
        slipway=${
          if isOwn
          then "$out"
          else slipway
        }/bin/slipway
        "$slipway" man "$out/share/man/man1"
        mkdir -p "$out"/share/{bash-completion/completions,fish/vendor_completions.d,zsh/site-functions}
        "$slipway" completions bash >"$out/share/bash-completion/completions/slipway"
        "$slipway" completions fish >"$out/share/fish/vendor_completions.d/slipway.fish"
        "$slipway" completions zsh >"$out/share/zsh/site-functions/_slipway"
      '';
    };
  formatter = ownRust {packages = ["nix-format"];};
  verifier = ownRust {packages = ["slipway-verify"];};

  check = import ./make-check.nix {
    inherit bootstrap pack system verifier;
    llvm = debs.cc.${buildPlatform.debian}.llvm-19;
  };
  # Returns the path of the QEMU program that runs a platform's programs, or "" for the build machine's
  # platform.
  emulatorOf = platformName:
    if platforms.${platformName}.nix == system
    then ""
    else "${debs.emulators.${buildPlatform.debian}.qemu-user}/bin/${platforms.${platformName}.qemu}";
  image = import ./image.nix {
    inherit bootstrap pack system targets;
    debugTools = debs.debug;
  };
  index = import ./index.nix {inherit pack system;};

  workspace = import ./rust/workspace.nix {
    inherit root;
    packages = ["reporter"];
  };
  # attribute set: packages/reporter.nix for each platform, by name
  reporters = mapAttrs (name: target:
    import ./packages/reporter.nix {
      inherit image root target workspace;
      builtFor =
        if name == buildPlatformName
        then null
        else reporters.${buildPlatformName}.program.dependencies;
    })
  targets;
  imagesOf = names: index (map (name: reporters.${name}.image) names);
  defaultNames = filter (name: platforms.${name}.default) (attrNames platforms);
in {
  inherit
    baseOf
    bootstrap
    build
    buildPlatform
    buildPlatformName
    check
    commandFor
    deb
    debs
    debsOf
    emulatorOf
    formatter
    go
    golang
    image
    index
    pack
    patchelf
    platforms
    releaseTargetsWith
    reporters
    seeds
    slipway
    system
    targets
    targetsWith
    ;

  # function from { mirrors, securityMirrors }: returns this attribute set with seeds that Nix fetches from
  # the mirrors
  withMirrors = mirrors: import ./. ({inherit root system;} // mirrors);

  # derivations: the index with the images of all platforms, with those of the default platforms, and with the
  # debug images of these
  allImages = imagesOf (attrNames platforms);
  defaultImages = imagesOf defaultNames;
  debugImages = index (map (name: reporters.${name}.image.debug) defaultNames);
}
