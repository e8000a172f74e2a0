# Returns the part of a cargo workspace that some of its packages need, { locals, crates, manifests }. The
# generated manifests and Cargo.lock list only these members and crates. Changes to other members do not cause
# a rebuild, and without `dev` neither do changes to tests. Cargo.lock can list more crates than a build
# needs: dependencies of a shared crate for features that only other members enable. cargo ignores them.
{
  # path: root directory of the workspace
  root,
  # list of strings: names of the packages to build
  packages,
  # bool: whether to include dev-dependencies and tests
  dev ? false,
}: let
  inherit
    (builtins)
    attrNames
    attrValues
    concatLists
    concatMap
    concatStringsSep
    elem
    filter
    fromTOML
    hasAttr
    head
    intersectAttrs
    isString
    length
    listToAttrs
    map
    mapAttrs
    match
    pathExists
    readDir
    readFile
    removeAttrs
    split
    ;

  toTOML = import ./toml.nix;
  readTOML = path: fromTOML (readFile path);

  rootManifest = readTOML (root + "/Cargo.toml");
  lock = readTOML (root + "/Cargo.lock");

  # Replace inherited dependencies in a member's manifest with the definitions of the workspace.
  shared = mapAttrs (_: dependency:
    if isString dependency
    then {version = dependency;}
    else dependency) (rootManifest.workspace.dependencies or {});
  writtenOut = dir: let
    toRoot = concatStringsSep "" (map (_: "../") (filter isString (split "/" dir)));
    one = name: dependency: let
      common = shared.${name};
    in
      if !(dependency.workspace or false)
      then dependency
      else
        common
        // removeAttrs dependency ["workspace"]
        // (
          if common ? path
          then {path = toRoot + common.path;}
          else {}
        )
        // (
          if common ? features || dependency ? features
          then {features = common.features or [] ++ dependency.features or [];}
          else {}
        );
    tables = intersectAttrs {
      build-dependencies = {};
      dependencies = {};
      dev-dependencies = {};
    };
    ofTables = manifest: manifest // mapAttrs (_: mapAttrs one) (tables manifest);
  in
    manifest:
      ofTables manifest
      // (
        if manifest ? target
        then {target = mapAttrs (_: ofTables) manifest.target;}
        else {}
      );

  # Expand "crates/*" to every directory in crates/ with a manifest.
  expand = pattern: let
    parent = match "(.*)/[*]" pattern;
  in
    if parent == null
    then [pattern]
    else
      filter (dir: pathExists (root + "/${dir}/Cargo.toml"))
      (map (name: "${head parent}/${name}") (attrNames (readDir (root + "/${head parent}"))));

  members = listToAttrs (map
    (dir: let
      manifest = writtenOut dir (readTOML (root + "/${dir}/Cargo.toml"));
    in {
      inherit (manifest.package) name;
      value = {inherit dir manifest;};
    })
    (concatMap expand (rootManifest.workspace.members or ["."])));

  dependencyTables =
    ["dependencies" "build-dependencies"]
    ++ (
      if dev
      then ["dev-dependencies"]
      else []
    );
  # Returns the package names of a manifest's dependencies; these differ from the keys of renamed
  # dependencies.
  wanted = manifest: let
    tables = concatMap (table:
      [(manifest.${table} or {})]
      ++ map (target: target.${table} or {}) (attrValues (manifest.target or {})))
    dependencyTables;
    crateName = name: dependency: dependency.package or name;
  in
    concatMap (table: map (name: crateName name table.${name}) (attrNames table)) tables;

  # Returns the package that an entry of `dependencies` in Cargo.lock refers to. An entry is NAME, or
  # NAME VERSION if there are several versions.
  find = entry: let
    words = filter isString (split " " entry);
    named = filter (p: p.name == head words) lock.package;
  in
    head (
      if length words == 1
      then named
      else filter (p: p.version == builtins.elemAt words 1) named
    );

  dependenciesOf = locked: let
    all = locked.dependencies or [];
  in
    if locked ? source
    then all
    else filter (entry: elem (find entry).name (wanted members.${locked.name}.manifest)) all;

  withDependencies = import ../transitive-closure.nix {
    key = locked: "${locked.name} ${locked.version}";
    next = locked: map find (dependenciesOf locked);
  };
  closure = map (locked:
    removeAttrs locked ["dependencies"]
    // (
      if dependenciesOf locked == []
      then {}
      else {dependencies = dependenciesOf locked;}
    ))
  (withDependencies (filter (p: elem p.name packages && !(p ? source)) lock.package));

  locals = map (p: members.${p.name}) (filter (p: !(p ? source)) closure);

  pruned = manifest:
    if dev
    then manifest
    else removeAttrs manifest ["bench" "dev-dependencies" "example" "test"];
in {
  # list of { dir, manifest }: the members
  inherit locals;

  # list: Cargo.lock entries of the crates from the registry
  crates = filter (p: p ? checksum) closure;

  # attribute set: content of each generated file, by file name
  manifests =
    {
      "Cargo.lock" = "version = ${toString lock.version}\n" + toTOML {package = closure;};
      "Cargo.toml" = toTOML (
        if rootManifest ? package
        then removeAttrs (pruned rootManifest) ["workspace"]
        else
          intersectAttrs {patch = {};} rootManifest
          // {
            # Keep only cargo's standard profiles; builds use no others.
            profile =
              intersectAttrs {
                dev = {};
                release = {};
                test = {};
              }
              (rootManifest.profile or {});
            workspace =
              removeAttrs rootManifest.workspace ["default-members" "dependencies" "exclude"]
              // {members = map (local: local.dir) locals;};
          }
      );
    }
    // listToAttrs (map
      (local: {
        name = "${local.dir}/Cargo.toml";
        value = toTOML (pruned local.manifest);
      })
      (filter (local: local.dir != ".") locals));
}
