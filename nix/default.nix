# Everything that this flake makes, from the bottom up.
{
  root,
  # of the machine that builds
  system,
}: let
  inherit (builtins) attrNames filter fromTOML head mapAttrs readFile;

  lock = fromTOML (readFile (root + "/slipway.lock"));
  cargoLock = fromTOML (readFile (root + "/Cargo.lock"));
  platforms = import ./platforms.nix;
  buildPlatformName = head (filter (name: platforms.${name}.nix == system) (attrNames platforms));
  buildPlatform = platforms.${buildPlatformName};
  seeds = import ./seeds.nix {inherit system;};

  # The bottom: two static programs, and patchelf from package files that nothing has patched yet.
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

  debsOf = lock:
    import ./toolchain/debs.nix {
      inherit bash lock platforms seeds;
      deb = import ./toolchain/deb.nix {inherit bootstrap patchelf system;};
    };
  debs = debsOf lock;

  crateOf = name: let
    package = head (filter (package: package.name == name) cargoLock.package);
  in {
    crate = seeds.crate {inherit bash package;};
    inherit (package) version;
  };

  # The toolchain, once for each target; `libraries` are packages of Debian by architecture, for what is
  # linked.
  build = targets.${buildPlatformName};
  targets = targetsWith debs.libraries;
  targetsWith = libraries:
    mapAttrs
    (platformName: platform:
      import ./target.nix {
        inherit bash bootstrap buildPlatform crateOf patchelf platform platformName seeds system;
        debs = debs // {inherit libraries;};
        buildTarget =
          if platformName == buildPlatformName
          then null
          else build;
      })
    platforms;

  # The programs that run on the build machine.
  ownRust = args:
    build.buildRust ({
        inherit root;
        cxx = false;
      }
      // args);
  pack = ownRust {packages = ["slipway-oci"];};
  slipway = ownRust {
    packages = ["slipway"];
    postInstall = ''
      slipway=$out/bin/slipway
      "$slipway" man "$out/share/man/man1"
      mkdir -p "$out"/share/{bash-completion/completions,fish/vendor_completions.d,zsh/site-functions}
      "$slipway" completions bash >"$out/share/bash-completion/completions/slipway"
      "$slipway" completions fish >"$out/share/fish/vendor_completions.d/slipway.fish"
      "$slipway" completions zsh >"$out/share/zsh/site-functions/_slipway"
    '';
  };
  formatter = ownRust {packages = ["nix-format"];};

  check = import ./check.nix {
    inherit bootstrap pack system;
    llvm = debs.cc.${buildPlatform.debian}.llvm-19;
  };
  # what runs a platform's programs here
  emulatorOf = platformName:
    if platforms.${platformName}.nix == system
    then ""
    else "${debs.emulators.${buildPlatform.debian}.qemu-user}/bin/${platforms.${platformName}.qemu}";
  image = import ./image.nix {inherit bootstrap pack system;};
  index = import ./index.nix {inherit pack system;};

  # The reporter for a target, and its image.
  workspace = import ./rust/workspace.nix {
    inherit root;
    packages = ["reporter"];
  };
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
in {
  inherit
    bootstrap
    build
    buildPlatform
    buildPlatformName
    check
    debs
    debsOf
    emulatorOf
    formatter
    image
    index
    pack
    patchelf
    platforms
    reporters
    seeds
    slipway
    system
    targets
    targetsWith
    ;

  # the index of every platform's image, and of those that are built when none is named
  allImages = imagesOf (attrNames platforms);
  defaultImages = imagesOf (filter (name: platforms.${name}.default) (attrNames platforms));
}
