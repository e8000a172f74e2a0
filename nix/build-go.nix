# Returns a function that builds programs of Go modules for one target. It uses two derivations: the first
# fills the build cache with the dependencies and reads only go.mod, go.sum and slipway.lock, the second
# compiles the modules' own packages. The function returns the second derivation, with the programs in bin/
# and the attributes `dependencies` and `modules`. It passes arguments that are not listed here to
# stdenv.mkDerivation.
{
  # derivation: the static bash executable
  bash,
  # derivation: static bash and busybox in bin/ (toolchain/bootstrap.nix)
  bootstrap,
  # the build machine's row of platforms.nix
  buildPlatform,
  # derivation: Debian's go, with which `slipway seed` downloads toolchains
  golang,
  # attribute set: `go` of this repository's slipway.lock, with the default toolchain
  default,
  # attribute set: the functions of seeds.nix
  seeds,
  # attribute set: the target's build environment (toolchain/stdenv.nix)
  stdenv,
  # string: system of the build machine, such as "x86_64-linux"
  system,
}: {
  # path: directory of go.mod, or of go.work
  src,
  # attribute set: `go` of the project's slipway.lock
  locked ?
    (import ./read-lock.nix (src + "/slipway.lock")).go
    or (throw "slipway.lock has no Go modules; run: slipway lock"),
  # string: name of the store path
  name ? baseNameOf (builtins.head packages),
  # list of strings: packages of the programs, such as "./cmd/server"
  packages ? ["."],
  # bool or null: CGO_ENABLED. null is what slipway.lock says: true if a package that is compiled uses cgo.
  cgo ? null,
  # attribute set of strings: environment variables with which Go compiles for the platform. Without cgo, any
  # platform of Go is possible.
  goPlatform ? stdenv.platform.go,
  # attribute set: attributes that only the derivation with the programs gets, such as how they are linked
  link ? {},
  # list of strings: build tags
  tags ? [],
  # list of strings: arguments of the linker
  ldflags ? [],
  # list: libraries for the target, as in stdenv.mkDerivation
  buildInputs ? [],
  # string or null: version of Go, such as "1.27.4". null is the version in slipway.lock, or Slipway's default.
  goVersion ? null,
  # string or null: version of the main module, for `main.version` and the build information
  version ? null,
  # attribute set: the flake with the sources, whose revision goes into the build information
  self ? {},
  # bool: whether to keep debug information in an output of its own, `debug`
  separateDebugInfo ? false,
  # bool: whether to run the tests instead of building programs
  test ? false,
  ...
} @ args: let
  inherit (builtins) concatStringsSep elem filter head map match path pathExists removeAttrs split stringLength substring;

  go = import ./go/toolchain.nix {
    inherit bash buildPlatform default golang locked seeds;
    version = goVersion;
  };
  isVendored = pathExists (src + "/vendor/modules.txt");
  modules = import ./go/modules.nix {inherit bash bootstrap go locked name seeds system;};
  withCgo =
    if cgo == null
    then locked.cgo or false
    else cgo;

  # Compare go.sum with the pins, so that a change of one without the other is not missed.
  sums = file:
    if pathExists file
    then filter (line: builtins.isString line && line != "") (split "\n" (builtins.readFile file))
    else [];
  known = builtins.listToAttrs (map (line: {
    name = line;
    value = null;
  }) (sums (src + "/go.sum") ++ sums (src + "/go.work.sum")));
  wrong = filter (pin: !(known ? "${pin.path} ${pin.version} ${pin.h1}")) locked.module or [];

  rootLength = stringLength (toString src) + 1;
  relative = file: substring rootLength (stringLength file) file;
  filterTree = keep:
    path {
      name = "${name}-source";
      path = src;
      filter = file: type: keep (relative file) type;
    };
  # Exclude files in the root directory that compilers do not read.
  isRead = file: match "flake[.](lock|nix)|result(-.*)?|slipway[.](lock|toml)|[.]git[^/]*" file == null;
  source = filterTree (file: _: isRead file);
  isManifest = file: elem (baseNameOf file) ["go.mod" "go.sum" "go.work" "go.work.sum"] || match "vendor/.*" file != null;
  manifests = filterTree (file: type: (type == "directory" && isRead file) || isManifest file);

  # Position-independent programs need a loader, which an image without C libraries does not have. Go's own
  # linker would name that of the machine.
  buildMode =
    if withCgo
    then ["-buildmode=pie"]
    else [];
  linkMode =
    if withCgo
    then ["-linkmode=external"]
    else [];
  # arguments of the linker that leave out debug information
  strip =
    if separateDebugInfo
    then []
    else ["-s" "-w"];
  tagFlags =
    if tags == []
    then []
    else ["-tags=${concatStringsSep "," tags}"];
  mod =
    if isVendored
    then "vendor"
    else "readonly";
  # These flags are also those of the shell.
  flags = ["-mod=${mod}" "-buildvcs=false"] ++ tagFlags;
  versionFlags =
    if version == null
    then []
    else ["-X main.version=${version}"];

  # The go command writes versions with the letter v.
  stamp = {
    modified =
      if self ? dirtyRev
      then "true"
      else "false";
    moduleVersion =
      if version == null
      then ""
      else "v${head (match "v?(.*)" version)}";
    revision = self.rev or (head (match "([^-]*).*" (self.dirtyRev or "")));
  };

  common =
    removeAttrs args ["cgo" "goPlatform" "goVersion" "ldflags" "link" "locked" "packages" "self" "src" "tags" "test" "version"]
    // import ./go/environment.nix {go = goPlatform;}
    // {
      CGO_ENABLED =
        if withCgo
        then "1"
        else "0";
      GOFLAGS = concatStringsSep " " (["-trimpath"] ++ buildMode ++ flags);
      GOMODCACHE =
        if isVendored
        then "/build/go/pkg/mod"
        else "${modules}";
      configurePlatforms = [];
      cxx = withCgo;
      nativeBuildInputs = args.nativeBuildInputs or [] ++ [go];
    };

  dependencies = stdenv.mkDerivation (common
    // {
      inherit (locked) imports;
      name = "${name}-dependencies";
      unpackPhase = ''
        cp -r ${manifests} source
        chmod -R u+w source
        cd source
      '';
      configurePhase = ":";
      buildPhase = ''
        source ${./go/build.sh}
        buildDependencies
      '';
      installPhase = "cp -r \"$GOCACHE\" \"$out\"";
      fixupPhase = ":";
    });
  needsCgo = locked.needs-cgo or [];
in
  if !withCgo && needsCgo != []
  then throw "${head needsCgo} cannot be compiled without cgo, since it calls C; remove cgo = false, or do without the package and run: slipway lock"
  else if wrong != [] && !isVendored
  then throw "slipway.lock pins ${(head wrong).path} ${(head wrong).version}, and go.sum does not have that; run: go mod tidy, and: slipway lock"
  else
    stdenv.mkDerivation (common
      // link
      // {
        inherit name packages;
        inherit (stamp) modified moduleVersion revision;
        stamp = ./go/stamp.sh;
        linkFlags = concatStringsSep " " (strip ++ linkMode ++ versionFlags ++ ldflags);
        unpackPhase = ''
          cp -r ${source} source
          chmod -R u+w source
          cd source
        '';
        configurePhase = ''
          source ${./go/build.sh}
          useDependencies ${dependencies}
        '';
        buildPhase =
          if test
          then "testPackages"
          else "buildPrograms";
        installPhase =
          if test
          then "touch \"$out\""
          else "mkdir \"$out\"; mv \"$NIX_BUILD_TOP/bin\" \"$out/bin\"";
        passthru = {inherit dependencies flags go modules;};
      })
