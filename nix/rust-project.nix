# Returns the function lib.mkProject, which builds images of a cargo workspace's programs. The function
# returns outputs of a flake: { checks, devShells, lib, packages }. This repository's slipway.lock pins the
# toolchain. The project's slipway.lock pins the Debian packages that the programs link to.
{
  # function: project.nix
  project,
}: {
  # path: the project's directory, usually ./.
  src,
  # path: the project's slipway.lock
  lock ? src + "/slipway.lock",
  # list of URLs: mirrors from which Nix fetches seeds that `slipway seed` has not added, as in seeds.nix. By
  # default `mirrors` of slipway.toml.
  mirrors ? null,
  # list of URLs: mirrors of Debian's security archive. By default `security-mirrors` of slipway.toml.
  securityMirrors ? null,
  # list of strings: OCI platforms, such as "linux/arm64". By default those with `default` in platforms.nix.
  platforms ? null,
  # list of strings: Debian packages whose headers and libraries the crates can use. By default the packages
  # of the set `libraries` in slipway.toml.
  targetPackages ? null,
  # list of strings: cargo packages whose programs to build. By default the default members with programs, or
  # all members with programs if there are none.
  packages ? null,
  # string: the program that the package `image` runs. By default `default-run` of the root package, else the
  # program with the root package's name, else the first program.
  program ? null,
  # list of strings: features of the packages, as in `cargo build --features`
  features ? [],
  # bool: whether to enable the default features
  defaultFeatures ? true,
  # string: the Debian package of the Rust compiler, "rustc" or "rustc-web". By default the first that is at
  # least as new as the workspace's rust-version.
  rust ? null,
  # attribute set: the flake itself, to have its commit in annotations of the images
  self ? {},
  # bool: whether to add a check that runs `cargo test`
  test ? false,
  # attribute set: environment variables of the build, such as LIBSQLITE3_SYS_USE_PKG_CONFIG = "1"
  env ? {},
  # bool: whether to keep debug information of the programs in an output of its own, `debug`
  debugInfo ? false,
  # function from a target of lib.targets to a list: further programs for the build, such as
  # target: [target.cmake]
  nativeBuildInputs ? _: [],
  # path, flake input or derivation: Apple's SDK for macOS, with which programs for macOS can have C and use Apple's
  # frameworks. By default there is none.
  macosSdk ? null,
  # attribute set: arguments of lib.image, such as cmd, env, expose, labels and user, and `programs`, a list of
  # further programs of the project that each image has (docs/images.md). It can be a function from a target of
  # lib.targets to these.
  image ? {},
}: let
  inherit (builtins) all compareVersions concatMap concatStringsSep elem filter foldl' fromTOML head isString map readFile;

  manifests = import ./rust/manifests.nix {root = src;};
  nativeLibraries = (fromTOML (readFile ../crates/slipway/src/project/native-libraries.toml)).library;

  listed = concatStringsSep ", ";
  namesOf = map (entry: entry.name);
  has = name: entries: elem name (namesOf entries);

  # Returns the features of a package that are enabled.
  enabled = local: let
    table = local.manifest.features or {};
    closure = import ./transitive-closure.nix {
      key = name: name;
      next = name: filter (other: table ? ${other}) (table.${name} or []);
    };
  in
    closure (features
      ++ (
        if defaultFeatures && table ? default
        then ["default"]
        else []
      ));
  # Returns the programs of a package as a list of { local, name }, without those that need disabled features.
  programsOf = local:
    map (bin: {
      inherit local;
      inherit (bin) name;
    })
    (filter (bin: all (feature: elem feature (enabled local)) (bin.required-features or [])) (manifests.programsOf local));
  withPrograms = filter (local: programsOf local != []);
  chosen =
    if packages == null
    then
      if withPrograms defaultMembers != []
      then withPrograms defaultMembers
      else withPrograms manifests.members
    else
      map (name: let
        found = filter (local: local.name == name) manifests.members;
      in
        if found == []
        then throw "the workspace has no package ${name}; it has ${listed (namesOf manifests.members)}"
        else head found)
      packages;
  # the members that `cargo build` builds by default
  defaultMembers = let
    named = manifests.expand (manifests.workspace.default-members or []);
  in
    if named != []
    then filter (local: elem local.dir named) manifests.members
    else if manifests.rootManifest ? package
    then filter (local: local.dir == "") manifests.members
    else manifests.members;
  programs = let
    found = concatMap programsOf chosen;
  in
    if found == []
    then throw "the workspace has no program to make an image of, only libraries"
    else found;

  # the program that the package `image` runs
  main = let
    rootPackage = manifests.rootManifest.package or {};
    candidates =
      if program != null
      then [program]
      else [(rootPackage.default-run or null) (rootPackage.name or null) (head programs).name];
    fitting = filter (name: has name programs) candidates;
  in
    if fitting == []
    then throw "the workspace has no program ${program}; it has ${listed (namesOf programs)}"
    else head (filter (one: one.name == head fitting) programs);

  # string: the highest rust-version of the workspace's packages
  rustVersion = foldl' (newest: version:
    if isString version && compareVersions version newest > 0
    then version
    else newest) "0" (map (local: manifests.inherits local "rust-version") manifests.locals);

  locked = import ./read-lock.nix lock;

  rustOf = target: let
    inherit (target) rusts;
    # oldest first
    names = ["rustc" "rustc-web"];
    isEnough = name: compareVersions rusts.${name}.version rustVersion >= 0;
    fitting = filter isEnough names;
  in
    if rust != null
    then rusts.${rust} or (throw "${rust} is no Rust of Debian's that is pinned; these are: ${listed names}")
    else if fitting == []
    then throw "the workspace asks for Rust ${rustVersion}, and Debian's newest is ${rusts.rustc-web.version}"
    else rusts.${head fitting};

  # Returns the Debian packages that native-libraries.toml lists for crates in Cargo.lock.
  likelyOf = target: let
    known = filter (row: manifests.lockedNames ? ${row.crate}) nativeLibraries;
  in
    map (name: target.libraries.${name}) (filter (name: target.libraries ? ${name}) (concatMap (row: row.packages) known));

  workspaceFor = {
    buildInputs,
    nativeBuildInputs,
    target,
  }: args:
    target.buildWorkspace (env
      // {
        inherit buildInputs manifests nativeBuildInputs nativeLibraries;
        repositories = locked.git or [];
        root = src;
        rust = rustOf target;
        # An explicit `rust` overrides the rust-version of the manifests.
        cargoCommand =
          if rust == null
          then "build --release"
          else "build --release --ignore-rust-version";
        inherit (main) name;
        separateDebugInfo = debugInfo;
        packages = namesOf chosen;
        programs = namesOf programs;
        cargoArguments = concatStringsSep " " (
          (
            if features == []
            then []
            else ["--features" (concatStringsSep "," features)]
          )
          ++ (
            if defaultFeatures
            then []
            else ["--no-default-features"]
          )
        );
      }
      // args);

  dependenciesOf = workspace:
    if workspace == null
    then null
    else workspace.dependencies;

  labelsOf = one: let
    inherits = manifests.inherits one.local;
    label = name: key: let
      value = inherits key;
    in
      if isString value
      then {"org.opencontainers.image.${name}" = value;}
      else {};
  in
    label "description" "description"
    // label "licenses" "license"
    // label "source" "repository"
    // label "version" "version";
in
  project {
    inherit debugInfo env image locked macosSdk mirrors nativeBuildInputs platforms securityMirrors self src targetPackages test;
    programs =
      map (one: {
        inherit (one) name;
        labels = labelsOf one;
      })
      programs;
    main = main.name;
    language = _: {
      likely = likelyOf;
      build = inputs: builtFor:
        workspaceFor inputs {builtFor = dependenciesOf builtFor;};
      release = inputs: {
        builtFor,
        link,
        ...
      }:
        workspaceFor inputs {
          inherit link;
          builtFor = dependenciesOf builtFor;
        };
      releases = row: row.target != null;
      runTests = inputs:
        workspaceFor inputs {
          name = "${main.name}-test";
          cargoCommand = "test";
          cargoDependenciesCommand = "build --tests";
          installPhase = "touch $out";
        };
      usesC = true;
      usesTarget = _: true;
      shell = {
        nativeBuildInputs,
        target,
        ...
      }:
        target.cargoEnvironment // {nativeBuildInputs = nativeBuildInputs ++ [(rustOf target)];};
    };
  }
