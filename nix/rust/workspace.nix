# The part of a cargo workspace that some of its packages need: which members, which crates, and
# manifests and a Cargo.lock that name just these (and what a shared crate needs only with features that
# others of the workspace turn on: cargo drops that itself). Nothing else of the workspace can then cause a
# rebuild: not another member's sources or dependencies, and, without `dev`, not even tests.
{
  root,
  packages,
  dev ? false,
}: let
  inherit
    (builtins)
    attrNames
    attrValues
    concatLists
    concatMap
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

  # "crates/*" stands for every directory in crates with a manifest.
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
      manifest = readTOML (root + "/${dir}/Cargo.toml");
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
  # The crates that a manifest asks for, by their own names.
  wanted = manifest: let
    tables = concatMap (table:
      [(manifest.${table} or {})]
      ++ map (target: target.${table} or {}) (attrValues (manifest.target or {})))
    dependencyTables;
    crateName = name: dependency: dependency.package or name;
  in
    concatMap (table: map (name: crateName name table.${name}) (attrNames table)) tables;

  # An entry of `dependencies` in Cargo.lock: NAME, or NAME VERSION where there are several.
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

  withDependencies = import ../closure.nix {
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
  # the members among them: { dir, manifest }
  inherit locals;

  # entries of Cargo.lock with a checksum
  crates = filter (p: p ? checksum) closure;

  # file name → content
  manifests =
    {
      "Cargo.lock" = "version = ${toString lock.version}\n" + toTOML {package = closure;};
      "Cargo.toml" = toTOML (
        if rootManifest ? package
        then removeAttrs (pruned rootManifest) ["workspace"]
        else
          intersectAttrs {patch = {};} rootManifest
          // {
            # of the profiles those that every workspace has; the rest builds nothing here
            profile =
              intersectAttrs {
                dev = {};
                release = {};
                test = {};
              }
              (rootManifest.profile or {});
            workspace =
              removeAttrs rootManifest.workspace ["default-members" "exclude"]
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
