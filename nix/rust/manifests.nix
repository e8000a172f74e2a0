# A cargo workspace as its manifests and Cargo.lock tell it: where its packages are, what programs they
# make, which crates they need from outside. Somebody else's workspace is built from its manifests as they
# are; what is found out here is what the two steps of a build (build-workspace.nix) have to know before.
{root}: let
  inherit (builtins) attrNames attrValues concatLists concatMap concatStringsSep elem elemAt filter foldl' fromTOML genList head isAttrs isString length listToAttrs map match pathExists readDir readFile replaceStrings split stringLength substring;

  at = dir: file:
    if dir == ""
    then file
    else "${dir}/${file}";
  exists = file: pathExists (root + "/${file}");
  readTOML = file: fromTOML (readFile (root + "/${file}"));
  partsOf = path: filter (part: isString part && part != "") (split "/" path);
  unique = foldl' (done: one:
    if elem one done
    then done
    else done ++ [one]) [];

  # A path in a manifest of `dir` as one from the root; null when it leads out of it.
  resolve = dir: path: let
    step = done: part:
      if done == null || part == "."
      then done
      else if part != ".."
      then done ++ [part]
      else if done == []
      then null
      else genList (elemAt done) (length done - 1);
    parts = foldl' step [] (partsOf (at dir path));
  in
    if substring 0 1 path == "/" || parts == null
    then null
    else concatStringsSep "/" parts;

  directoriesIn = dir: let
    entries =
      if pathExists (root + "/${dir}")
      then readDir (root + "/${dir}")
      else {};
  in
    filter (name: elem entries.${name} ["directory" "symlink"] && name != "target" && substring 0 1 name != ".") (attrNames entries);

  # The directories that patterns, as of `members`, stand for.
  expand = concatMap (pattern: let
    regex = replaceStrings ["." "+" "*" "?"] ["[.]" "[+]" ".*" "."];
    step = dirs: part:
      concatMap (dir:
        if part == "."
        then [dir]
        else if match ".*[*?[].*" part == null
        then [(at dir part)]
        else map (at dir) (filter (name: match (regex part) name != null) (directoriesIn dir)))
      dirs;
  in
    filter (dir: exists (at dir "Cargo.toml")) (foldl' step [""] (partsOf pattern)));

  rootManifest =
    if exists "Cargo.toml"
    then readTOML "Cargo.toml"
    else throw "Cargo.toml is not in the project's directory, or git does not track it; run: git add Cargo.toml";
  workspace = rootManifest.workspace or {};
  lock =
    if exists "Cargo.lock"
    then readTOML "Cargo.lock"
    else throw "Cargo.lock is not in the project's directory, or git does not track it; run: cargo generate-lockfile, and: git add --force Cargo.lock";
  lockedPackages = lock.package or [];

  isIn = dir: above: dir == above || above == "" || substring 0 (stringLength above + 1) dir == "${above}/";

  excluded = filter (dir: dir != null) (map (resolve "") (workspace.exclude or []));
  memberDirs = unique (
    (
      if rootManifest ? package
      then [""]
      else []
    )
    ++ filter (dir: !(builtins.any (isIn dir) excluded)) (expand (workspace.members or []))
  );

  tablesOf = manifest: let
    kinds = ["dependencies" "build-dependencies" "dev-dependencies"];
    ofKinds = table: map (kind: table.${kind} or {}) kinds;
  in
    ofKinds manifest ++ concatMap ofKinds (attrValues (manifest.target or {}));

  # Where a dependency lies that is none of the registry's: [], or its directory.
  pathOf = dir: name: dependency: let
    inherited = dependency.workspace or false;
    own =
      if inherited
      then (workspace.dependencies or {}).${name} or {}
      else dependency;
    path =
      resolve (
        if inherited
        then ""
        else dir
      )
      own.path;
  in
    if !(isAttrs dependency && isAttrs own && own ? path)
    then []
    else if path == null
    then throw "${at dir "Cargo.toml"}: the path of ${name}, ${own.path}, leads out of the project; let src be the directory that holds both"
    else [path];

  pathsOf = dir: let
    manifest = readTOML (at dir "Cargo.toml");
    patches =
      if dir == ""
      then attrValues (rootManifest.patch or {}) ++ [(rootManifest.replace or {})]
      else [];
  in
    filter (path: exists (at path "Cargo.toml"))
    (concatMap (table: concatMap (name: pathOf dir name table.${name}) (attrNames table))
      (tablesOf manifest ++ patches));

  withPaths = import ../closure.nix {
    key = dir: "/${dir}";
    next = pathsOf;
  };

  local = dir: let
    manifest = readTOML (at dir "Cargo.toml");
  in {
    inherit dir manifest;
    inherit (manifest.package) name;
    isMember = elem dir memberDirs;
  };
  # The packages in the tree: { dir, manifest, name, isMember }. One that has no [package] only lends its settings.
  locals = filter (one: one.manifest ? package) (map local (withPaths (
    if rootManifest ? package
    then memberDirs
    else [""] ++ memberDirs
  )));
  members = filter (one: one.isMember) locals;

  inherits = one: key: let
    value = one.manifest.package.${key} or null;
  in
    if isAttrs value && value.workspace or false
    then (workspace.package or {}).${key} or null
    else value;

  # What Cargo.lock has of a package in the tree.
  lockedAs = one: filter (p: !(p ? source) && p.name == one.name) lockedPackages;

  # cargo itself finds out all the rest, and says less clearly what to do.
  stale = concatMap (one: let
    locked = head (lockedAs one);
    version = inherits one "version";
    names = map (entry: head (split " " entry)) (locked.dependencies or []);
    nameOf = name: dependency: let
      own =
        if isAttrs dependency && dependency.workspace or false
        then (workspace.dependencies or {}).${name} or {}
        else dependency;
    in
      own.package or name;
    wanted = concatMap (table: map (name: nameOf name table.${name}) (attrNames table)) (tablesOf one.manifest);
    lacking = filter (name: !(elem name names) && name != one.name) wanted;
  in
    if lockedAs one == []
    then ["it has no ${one.name}"]
    else if isString version && version != locked.version
    then ["it has ${one.name} ${locked.version}, and Cargo.toml says ${version}"]
    else map (name: "it has no ${name} for ${one.name}") lacking)
  members;

  # What cargo takes for programs of a package when it finds them, and what the manifest names.
  programsOf = one: let
    inherit (one) dir manifest;
    declared = manifest.bin or [];
    sources = directory: suffix: let
      entries =
        if exists (at dir directory)
        then readDir (root + "/${at dir directory}")
        else {};
      file = name: let
        stem = match "(.*)[.]rs" name;
      in
        if stem != null
        then [
          {
            name = head stem;
            path = "${directory}/${name}";
          }
        ]
        else if exists (at dir "${directory}/${name}/main.rs")
        then [
          {
            inherit name;
            path = "${directory}/${name}/main.rs";
          }
        ]
        else [];
    in
      concatMap file (attrNames entries);
    found =
      (
        if exists (at dir "src/main.rs")
        then [
          {
            inherit (one) name;
            path = "src/main.rs";
          }
        ]
        else []
      )
      ++ sources "src/bin" ".rs";
    pathFor = bin:
      bin.path
      or (
        let
          fitting = filter (other: other.name == bin.name) found;
        in
          if fitting == []
          then "src/bin/${bin.name}.rs"
          else (head fitting).path
      );
    isNew = bin: !(builtins.any (other: other.name == bin.name || resolve "" (pathFor other) == bin.path) declared);
    # In edition 2015 naming one program turns the search for others off.
    searches = manifest.package.autobins or (declared == [] || (inherits one "edition") != null && inherits one "edition" != "2015");
  in
    map (bin: bin // {path = pathFor bin;}) declared
    ++ (
      if searches
      then filter isNew found
      else []
    );

  # The files that must be there for cargo to take a manifest: they are stood in for while dependencies are built.
  libraryOf = one: one.manifest.lib.path or "src/lib.rs";
  targetFiles = one: let
    inherit (one) dir manifest;
    declaredIn = directory: target: let
      candidates = ["${directory}/${target.name}.rs" "${directory}/${target.name}/main.rs"];
      found = filter (file: exists (at dir file)) candidates;
    in
      target.path
      or (
        if found == []
        then head candidates
        else head found
      );
    build = manifest.package.build or "build.rs";
  in
    unique (
      (
        if manifest ? lib || exists (at dir (libraryOf one))
        then [(libraryOf one)]
        else []
      )
      ++ map (bin: bin.path) (programsOf one)
      ++ map (declaredIn "examples") (manifest.example or [])
      ++ map (declaredIn "tests") (manifest.test or [])
      ++ map (declaredIn "benches") (manifest.bench or [])
      ++ (
        if isString build && exists (at dir build)
        then [build]
        else []
      )
    );

  # Settings of cargo that come with the project.
  config = let
    files = filter exists [".cargo/config.toml" ".cargo/config"];
  in
    if files == []
    then {}
    else readTOML (head files);
  # `cargo vendor` into the tree: the directory, or null.
  vendored = let
    sources = config.source or {};
    name = (sources.crates-io or {}).replace-with or null;
    directory = (sources.${name} or {}).directory or null;
  in
    if name == null || directory == null
    then null
    else resolve "" directory;

  outside = filter (p: p ? source) lockedPackages;
  fromGit = filter (p: match "git[+].*" p.source != null) outside;

  # A crate from outside may use a package of the tree, by [patch]: that one must be there in earnest.
  usedFromOutside = let
    names = concatMap (p: map (entry: head (split " " entry)) (p.dependencies or [])) outside;
    used = filter (one: elem one.name names) locals;
  in
    map local (withPaths (map (one: one.dir) used));
in
  if stale != []
  then throw "Cargo.lock is older than Cargo.toml (${head stale}); run: cargo update --workspace"
  else if fromGit != [] && vendored == null
  then throw "Cargo.lock has ${(head fromGit).name} ${(head fromGit).version} from git (${(head fromGit).source}), and only registries are fetched from; put the crates into the tree: mkdir -p .cargo && cargo vendor >>.cargo/config.toml && git add --force .cargo vendor"
  else {
    inherit at expand inherits locals members programsOf rootManifest targetFiles usedFromOutside vendored workspace;

    # entries of Cargo.lock whose files come from a registry
    crates =
      if vendored != null
      then []
      else filter (p: p ? checksum) outside;

    # directories whose Cargo.toml a build reads: those of all packages, and those above, one of which is the workspace's
    manifestDirs = let
      above = dir: let
        parts = partsOf dir;
      in
        genList (n: concatStringsSep "/" (genList (elemAt parts) n)) (length parts + 1);
    in
      filter (dir: exists (at dir "Cargo.toml")) (unique (concatMap (one: above one.dir) locals));

    # of all packages that Cargo.lock has
    lockedNames = listToAttrs (map (p: {
        inherit (p) name;
        value = true;
      })
      lockedPackages);
  }
