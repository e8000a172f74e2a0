# Everything that this flake makes, from the bottom up.
{
  root,
  system ? "x86_64-linux",
}: let
  inherit (builtins) attrValues elem filter fromTOML head mapAttrs readFile;

  lock = fromTOML (readFile (root + "/slipway.lock"));
  cargoLock = fromTOML (readFile (root + "/Cargo.lock"));
  platforms = import ./platforms.nix;
  seeds = import ./seeds.nix {inherit system;};

  # The bottom: two static programs, and patchelf from package files that nothing has patched yet.
  pinned = set: name: head (filter (pin: pin.name == name && elem set pin.sets) lock.package);
  bash = seeds.executable (pinned "bootstrap" "bash-static");
  bootstrap = import ./toolchain/bootstrap.nix {
    inherit bash system;
    busybox = seeds.executable (pinned "bootstrap" "busybox-static");
  };
  raw = name:
    seeds.deb {
      inherit bash;
      pin = pinned "cc" name;
    };
  patchelf = import ./toolchain/patchelf.nix {
    inherit bootstrap system;
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
  buildPlatformName = "x86_64";
  build = targets.${buildPlatformName};
  targets = targetsWith debs.libraries;
  targetsWith = libraries:
    mapAttrs
    (platformName: platform:
      import ./target.nix {
        inherit bash bootstrap crateOf patchelf platform platformName seeds system;
        buildPlatform = platforms.${buildPlatformName};
        debs = debs // {inherit libraries;};
        buildTarget =
          if platform.nix == system
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
    llvm = debs.cc.amd64.llvm-19;
  };
  # what runs a platform's programs here
  emulatorOf = platformName:
    if platforms.${platformName}.nix == system
    then ""
    else "${debs.emulators.amd64.qemu-user}/bin/${platforms.${platformName}.qemu}";
  image = import ./image.nix {inherit bootstrap pack system;};
  index = import ./index.nix {inherit pack system;};

  # The reporter for a target, and its image.
  reporters = mapAttrs (_: target: import ./packages/reporter.nix {inherit image root target;}) targets;

  examples = import ./examples.nix {
    inherit root system;
    lib = import ./lib.nix {slipway = own;};
  };

  own = {
    inherit bootstrap buildPlatformName check debs debsOf emulatorOf examples formatter image index pack patchelf platforms reporters seeds slipway targets targetsWith;

    # the index of every platform's image
    allImages = index (map (reporter: reporter.image) (attrValues reporters));
  };
in
  own
