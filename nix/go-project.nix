# Returns the function lib.mkGoProject, which builds images of the programs of Go modules. The function returns
# outputs of a flake: { checks, devShells, lib, packages }. The project's slipway.lock pins the modules, the
# Debian packages that the programs link to, and the Go toolchain if it is not Slipway's default.
{
  # function: project.nix
  project,
}: {
  # path: the project's directory, usually ./. It has go.mod or go.work.
  src,
  # path: the project's slipway.lock
  lock ? src + "/slipway.lock",
  # list of URLs: mirrors of seeds, as in mkProject
  mirrors ? null,
  # list of URLs: mirrors of Debian's security archive, as in mkProject
  securityMirrors ? null,
  # list of strings: OCI platforms, such as "linux/arm64". By default those with `default` in platforms.nix.
  platforms ? null,
  # list of strings: Debian packages whose headers and libraries cgo can use. By default the packages of the set
  # `libraries` in slipway.toml.
  targetPackages ? null,
  # function from a target of lib.targets to a list: further libraries for cgo, such as
  # target: [target.librdkafka.dev]
  buildInputs ? _: [],
  # list of strings: packages of the programs, such as "./cmd/server" or "./cmd/..."
  packages ? ["./..."],
  # string: the program that the package `image` runs. By default the first.
  program ? null,
  # bool: CGO_ENABLED. By default whether a package that is compiled uses cgo, as slipway.lock says.
  cgo ? null,
  # list of strings: build tags. By default `tags` of [go] in slipway.toml.
  tags ? null,
  # list of strings: arguments of the linker, such as "-X main.commit=…"
  ldflags ? [],
  # string: version of Go, such as "1.27.4". By default what slipway.lock pins, or Slipway's default.
  goVersion ? null,
  # string: version of the programs, for `main.version`, the build information and the image's labels
  version ? null,
  # attribute set: the flake itself, to have its revision in the build information of the programs and in
  # annotations of the images
  self ? {},
  # bool: whether to add a check that runs `go test ./...`
  test ? false,
  # attribute set: environment variables of the build, such as GOAMD64 = "v3"
  env ? {},
  # bool: whether to keep debug information of the programs in an output of its own, `debug`
  debugInfo ? false,
  # function from a target of lib.targets to a list: further programs for the build, such as
  # target: [target.protoc]
  nativeBuildInputs ? _: [],
  # path, flake input or derivation: Apple's SDK for macOS, with which programs for macOS can have C and use Apple's
  # frameworks. By default there is none.
  macosSdk ? null,
  # attribute set: arguments of lib.image, such as cmd, env, expose, labels and user, and `programs`, a list of
  # further programs of the project that each image has (docs/images.md). It can be a function from a target of
  # lib.targets to these.
  image ? {},
}: let
  inherit (builtins) any concatMap concatStringsSep filter fromTOML head isString map match pathExists readFile split stringLength substring;

  locked = import ./read-lock.nix lock;
  go = locked.go or (throw "slipway.lock has no Go modules; run: slipway lock");
  settings =
    if pathExists (src + "/slipway.toml")
    then (fromTOML (readFile (src + "/slipway.toml"))).go or {}
    else {};
  listed = concatStringsSep ", ";

  # Whether a pattern of packages, such as "./cmd/...", matches a package.
  matches = package: pattern: let
    tree = match "(.*)/[.][.][.]" pattern;
    top = head tree;
  in
    if tree == null
    then package == pattern
    else top == "." || package == top || substring 0 (stringLength top + 1) package == "${top}/";
  known = go.program or [];
  programs = let
    found = filter (row: any (matches row.package) packages) known;
  in
    if found == []
    then throw "no program is in ${listed packages}; slipway.lock has ${listed (map (row: row.package) known)}. If it is new, run: slipway lock"
    else found;
  main = let
    found = filter (row: row.name == program) programs;
  in
    if program == null
    then head programs
    else if found == []
    then throw "the project has no program ${program}; it has ${listed (map (row: row.name) programs)}"
    else head found;

  # string or null: address of the repository, if the path of the main module tells
  source = let
    lines = filter isString (split "\n" (readFile (src + "/go.mod")));
    found = concatMap (line: let
      path = match "module[ \t]+\"?((github|gitlab)[.]com/[^/ \t\"]+/[^/ \t\"]+).*" line;
    in
      if path == null
      then []
      else [(head path)])
    lines;
  in
    if !pathExists (src + "/go.mod") || found == []
    then null
    else "https://${head found}";

  build = {
    nativeBuildInputs,
    target,
    ...
  } @ inputs: args:
    target.buildGo (env
      // {
        inherit cgo goVersion ldflags nativeBuildInputs self src version;
        inherit (main) name;
        buildInputs = inputs.buildInputs ++ buildInputs target;
        locked = go;
        packages = map (row: row.package) programs;
        separateDebugInfo = debugInfo;
        tags = chosenTags;
      }
      // args);
  # slipway.lock depends on the tags.
  chosenTags = let
    chosen =
      if tags == null
      then settings.tags or []
      else tags;
  in
    if chosen == go.tags or []
    then chosen
    else throw "slipway.lock was made with the build tags [${toString (go.tags or [])}], but the build asks for [${toString chosen}]; set tags in [go] of slipway.toml, then run: slipway lock";
  # On systems for which no C can be compiled, packages do without, if they can.
  usesTarget = row: row.link == "portable" || row.link == "static" && usesCgo;
  usesCgo =
    if cgo == null
    then go.cgo or false
    else cgo;
in
  project {
    inherit debugInfo env image locked macosSdk mirrors nativeBuildInputs platforms securityMirrors self src targetPackages test;
    programs =
      map (row: {
        inherit (row) name;
        labels =
          (
            if source == null
            then {}
            else {"org.opencontainers.image.source" = source;}
          )
          // (
            if version == null
            then {}
            else {"org.opencontainers.image.version" = version;}
          );
      })
      programs;
    main = main.name;
    language = _: {
      build = inputs: _: build inputs {};
      likely = target:
        if usesCgo
        then buildInputs target
        else [];
      release = inputs: {
        link,
        row,
        version,
        ...
      }:
        build inputs ({
            cgo = usesCgo && usesTarget row;
            goPlatform = row.go;
          }
          // {inherit link;}
          // (
            if version == null
            then {}
            else {inherit version;}
          ));
      # Without C, all of Go's platforms can be built.
      releases = row: go.needs-cgo or [] == [] || row.link != "pure";
      inherit usesTarget;
      usesC = usesCgo;
      runTests = inputs:
        build inputs {
          name = "${main.name}-test";
          test = true;
        };
      shell = {target, ...} @ inputs: let
        program = build inputs {};
      in
        target.goEnvironment
        // {
          inherit (program) CGO_ENABLED GOMODCACHE;
          GOFLAGS = concatStringsSep " " program.flags;
          buildInputs = inputs.buildInputs ++ buildInputs target;
          nativeBuildInputs = inputs.nativeBuildInputs ++ [program.go];
        };
    };
  }
