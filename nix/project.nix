# Returns a function that makes the outputs of a flake, { checks, devShells, lib, packages }, for a project in
# one language. rust-project.nix and go-project.nix call it.
{
  # attribute set: default.nix for each build machine, by system (systems.nix)
  slipways,
} @ given: {
  # the arguments of lib.mkProject and lib.mkGoProject of these names, which rust-project.nix describes
  debugInfo,
  env,
  image,
  macosSdk,
  mirrors,
  nativeBuildInputs,
  platforms,
  securityMirrors,
  self,
  src,
  targetPackages,
  test,
  # attribute set: content of the project's slipway.lock
  locked,
  # list of { labels, name }: the programs. `labels` is an attribute set of strings for the image.
  programs,
  # string: name of the program that the package `image` runs
  main,
  # function from default.nix of a build machine to an attribute set:
  #
  #   build       function: returns a derivation with the programs in bin/. Its second argument is the result for
  #               the build machine, or null.
  #   likely      function: returns the Debian packages that the programs of a target probably need
  #   release     function: returns a derivation with the programs in bin/ for release files. Its second argument
  #               is { builtFor, link, row, version }: as for build, attributes that tell how to link, the row of
  #               release-platforms.nix, and the version as a string or null.
  #   releases    function: returns whether `release` can build for a row of release-platforms.nix
  #   runTests    function: returns a derivation that runs the tests
  #   shell       function: returns attributes of the target's shell
  #   usesC       bool: whether the programs may have C
  #   usesTarget  function: returns whether `release` uses the compilers of a row of release-platforms.nix
  #
  # build, release, runTests and shell get { buildInputs, nativeBuildInputs, target }.
  language,
}: let
  inherit (builtins) attrNames attrValues concatMap concatStringsSep elem filter fromTOML head isFunction isString length listToAttrs map mapAttrs match pathExists readFile removeAttrs seq stringLength substring typeOf;

  listed = concatStringsSep ", ";

  # Debian packages that every project needs. The build adds them by itself, so `wantedPackages` leaves them
  # out.
  base = ["ca-certificates" "libc6" "libgcc-s1" "libstdc++6"];
  settings =
    if pathExists (src + "/slipway.toml")
    then fromTOML (readFile (src + "/slipway.toml"))
    else {};
  wantedPackages =
    if targetPackages != null
    then targetPackages
    else filter (name: !(elem name base)) (settings.set or {}).libraries.packages or [];

  slipways = let
    or' = given: key:
      if given != null
      then given
      else settings.${key} or [];
    named = {
      mirrors = or' mirrors "mirrors";
      securityMirrors = or' securityMirrors "security-mirrors";
    };
  in
    if named.mirrors ++ named.securityMirrors == []
    then given.slipways
    else mapAttrs (_: slipway: slipway.withMirrors named) given.slipways;

  # attribute set: rows of platforms.nix for the project's platforms, by name
  rows = let
    table = (head (attrValues slipways)).platforms;
    find = name: let
      found = filter (row: table.${row}.oci == name) (attrNames table);
    in
      if found == []
      then throw "${name} is not a platform that can be built; these are: ${listed (map (row: row.oci) (attrValues table))}"
      else head found;
    names =
      if platforms == null
      then filter (name: table.${name}.default or true) (attrNames table)
      else map find platforms;
  in
    listToAttrs (map (name: {
        inherit name;
        value = table.${name};
      })
      names);

  # Returns the rows of release-platforms.nix that the project can be released for. Linux has the project's
  # own platforms.
  releaseRows = {
    releases,
    usesC,
    ...
  }: let
    table = import ./release-platforms.nix {
      # that of RHEL 8 and Debian 10
      glibc = (settings.release or {}).glibc or "2.28";
      hasMacosSdk = macosSdk != null;
      libraries = (settings.release or {}).libraries or "static";
      platforms = rows;
    };
  in
    listToAttrs (concatMap (name: let
      row = table.${name};
    in
      if releases row
      then [
        {
          inherit name;
          # C code often is for Linux only.
          value = row // {default = row.default && (row ? libc || !usesC);};
        }
      ]
      else []) (attrNames table));

  # Returns the arguments of an image. Its files come from the project's sources or from the store, so that they
  # are the same on every machine.
  checked = arguments: let
    # A flake can be in a directory of its repository.
    sources = toString (self.sourceInfo.outPath or src);
    isBelow = directory: path: substring 0 (stringLength directory + 1) path == "${directory}/";
    isOutside = source: typeOf source == "path" && !(isBelow sources (toString source));
    outside = filter (path: let
      value = arguments.contents.${path};
    in
      isOutside (value.source or value)) (attrNames (arguments.contents or {}));
    path = head outside;
  in
    if outside == []
    then arguments
    else throw "image.contents.\"${path}\": ${toString (arguments.contents.${path}.source or arguments.contents.${path})} is outside the source tree ${sources}; copy it there";

  outputsFor = system: slipway: let
    debs = slipway.debsOf locked;

    # Evaluating a target first reports packages that slipway.lock lacks for it.
    targets =
      mapAttrs (_: target: seq (librariesOf target) target)
      (slipway.targetsWith {
        libraries = debs.libraries or (throw "slipway.lock has no set libraries; have it in slipway.toml, and run: slipway lock");
        tools = (debs.tools or {}).${slipway.buildPlatform.debian} or {};
      });

    librariesOf = target: let
      inherit (target.platform) debian oci;
      lacking = filter (name: !(target.libraries ? ${name})) (base ++ wantedPackages);
    in
      if lacking != []
      then throw "slipway.lock has no ${head lacking} for ${debian} (${oci}); run: slipway add ${head lacking}"
      else map (name: target.libraries.${name}) wantedPackages;

    # Whether the build for any platform has a package in nativeBuildInputs.
    isBuildInput = package:
      builtins.any (platformName: builtins.any (input: (input.pin.name or "") == package.pin.name) (nativeBuildInputs targets.${platformName})) (attrNames rows);

    # attribute set: release-targets.nix
    releaseTargets = slipway.releaseTargetsWith {
      inherit macosSdk;
      tools = (debs.tools or {}).${slipway.buildPlatform.debian} or {};
    };

    inherit (language slipway) build likely release releases runTests shell usesTarget;
    inputsOf = target: {
      inherit target;
      buildInputs = librariesOf target;
      nativeBuildInputs = nativeBuildInputs target;
    };

    builtForOf = platformName:
      if platformName != slipway.buildPlatformName && rows ? ${slipway.buildPlatformName}
      then built.${slipway.buildPlatformName}.workspace
      else null;

    # attribute set: { images, programs, target, workspace } by the platform's name. `images` and `programs`
    # are attribute sets of derivations, by the program's name.
    built =
      mapAttrs (platformName: _: let
        target = targets.${platformName};
        workspace = build (inputsOf target) (builtForOf platformName);
        byName = f:
          listToAttrs (map (one: {
              inherit (one) name;
              value = f one;
            })
            programs);
        # Returns a derivation with only one of the programs, so that its image does not include the others.
        alone = one:
          if length programs == 1
          then workspace
          else
            derivation {
              inherit system;
              inherit (one) name;
              PATH = "${slipway.bootstrap}/bin";
              args = ["-e" "-c" "mkdir -p $out/bin; cp ${workspace}/bin/${one.name} $out/bin"];
              builder = "${slipway.bootstrap}/bin/bash";
            }
            // (
              if workspace ? runtimeInputs
              then {inherit (workspace) runtimeInputs;}
              else {}
            );
        packages = byName alone;
      in {
        inherit target workspace;
        images = byName (one: imageOf target one packages);
        programs = packages;
      })
      rows;

    imageOf = target: one: packages: let
      package = packages.${one.name};
      arguments =
        if isFunction image
        then image target
        else image;
      others = filter (name: name != one.name) (arguments.programs or []);
      # A base image is a reference that slipway.lock pins, or an image layout.
      based =
        if isString (arguments.base or null)
        then {base = slipway.baseOf locked arguments.base target.platform.oci;}
        else {};
      packageOf = name: packages.${name} or (throw "image.programs: there is no program ${name}; there are ${listed (attrNames packages)}");
    in
      slipway.image (checked ({
          inherit package self target;
          likely = likely target;
          runtimePackages = filter (package: match ".*-dev" package.pin.name == null && !(isBuildInput package)) (librariesOf target);
          entrypoint = "bin/${one.name}";
        }
        // removeAttrs arguments ["programs"]
        // based
        // {
          packages = map packageOf others ++ arguments.packages or [];
          labels =
            one.labels
            // {"org.opencontainers.image.title" = one.name;}
            // arguments.labels or {};
        }))
      # string: path of the program that the image runs
      // {program = "${package}/bin/${one.name}";};

    # attribute set: derivations with the programs for release files, by the row's name
    released = mapAttrs (_: row: let
      ofVersion = version:
        if !(usesTarget row)
        then
          release (inputsOf targets.${slipway.buildPlatformName}) {
            inherit row version;
            builtFor = null;
            link = {};
          }
        else if row.link == "portable"
        then
          release (inputsOf targets.${row.target}) {
            inherit row version;
            builtFor = builtForOf row.target;
            link = targets.${row.target}.portable {
              inherit (row) glibc libraries;
              name = (settings.release or {}).name or main;
            };
          }
        else let
          target = releaseTargets.${row.target};
        in
          release {
            inherit target;
            buildInputs = [];
            nativeBuildInputs = nativeBuildInputs target;
          } {
            inherit row version;
            builtFor = null;
            link = {};
          };
    in
      # `slipway release` takes the version from the tag.
      ofVersion null // {inherit ofVersion;}) (releaseRows (language slipway));

    platformNames = attrNames rows;
    forPlatforms = f: listToAttrs (concatMap f platformNames);
    named = name: value: {inherit name value;};

    shellOf = platformName: let
      target = targets.${platformName};
      inputs = inputsOf target;
    in
      target.stdenv.mkDerivation ({
          inherit (inputs) buildInputs;
          name = "${main}-${target.platform.debian}";
          configurePlatforms = [];
        }
        // shell inputs
        // env);
  in {
    checks =
      forPlatforms (platformName: let
        inherit (built.${platformName}) images target;
        check = kind: one:
          named "${kind}-${one.name}-${platformName}" (slipway.check "${kind}-${one.name}-${platformName}" (./checks + "/${kind}.sh") {
            inherit (target.platform) oci;
            image = images.${one.name};
            exportReferencesGraph = images.${one.name}.graphs;
          });
      in
        concatMap (one: [(check "closure" one) (check "elf" one)]) programs)
      // (
        if test
        then {test = runTests (inputsOf targets.${slipway.buildPlatformName});}
        else {}
      );

    devShells = mapAttrs (platformName: _: shellOf platformName) rows // {default = shellOf slipway.buildPlatformName;};

    packages = let
      indexOf = name: slipway.index (map (platformName: built.${platformName}.images.${name}) platformNames);
      debugOf = name: slipway.index (map (platformName: built.${platformName}.images.${name}.debug) platformNames);
    in
      {image-debug = debugOf main;}
      // listToAttrs (map (one: named "image-${one.name}-debug" (debugOf one.name)) programs)
      // forPlatforms (platformName: let
        inherit (built.${platformName}) images programs workspace;
      in
        [
          (named "image-${platformName}" images.${main})
          (named "image-debug-${platformName}" images.${main}.debug)
          (named "program-${platformName}" programs.${main})
        ]
        # debug information of all programs
        ++ (
          if debugInfo
          then [(named "debug-${platformName}" workspace.debug)]
          else []
        )
        ++ concatMap (name: [
          (named "image-${name}-${platformName}" images.${name})
          (named "image-${name}-debug-${platformName}" images.${name}.debug)
          (named "${name}-${platformName}" programs.${name})
        ]) (attrNames programs))
      // listToAttrs (map (one: named "image-${one.name}" (indexOf one.name)) programs)
      // listToAttrs (map (name: named "release-${name}" released.${name}) (attrNames released))
      // {
        default = indexOf main;
        image = indexOf main;
      };
  };

  outputs = mapAttrs outputsFor slipways;
  each = kind: mapAttrs (_: output: output.${kind}) outputs;
in {
  checks = each "checks";
  devShells = each "devShells";
  # `slipway build --platform` reads the project's platforms from here.
  lib.platforms = rows;
  # `slipway release` reads what it can build from here.
  lib.releasePlatforms = releaseRows (language (head (attrValues slipways)));
  lib.release = let
    labels = (head (filter (one: one.name == main) programs)).labels;
    label = name: labels."org.opencontainers.image.${name}" or null;
  in {
    name = main;
    description = label "description";
    homepage = label "source";
    license = label "licenses";
  };
  packages = each "packages";
}
