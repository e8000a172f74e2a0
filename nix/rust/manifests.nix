# Reads the manifests and Cargo.lock of a user's cargo workspace. Returns an attribute set with what
# build-workspace.nix needs to know during evaluation: the directories of the packages, their programs, and
# the crates from registries and git. The attributes are described where they are defined. The build uses the
# manifests unchanged, unlike rust/workspace.nix, which reduces them for this repository's own packages.
{
  # path: root directory of the workspace
  root,
}: let
  inherit (builtins) attrNames attrValues concatLists concatMap concatStringsSep elem elemAt filter foldl' fromTOML genList head isAttrs isString length listToAttrs map match pathExists readDir readFile replaceStrings split stringLength substring;

  # Join a directory, "" for the root, and a file name.
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

  # Convert a path relative to `dir` into a path relative to the root. Returns null if the result is outside
  # the root.
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

  # Returns the directories with a Cargo.toml that match a list of patterns, such as `workspace.members`.
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

  # Returns a list with the directory of a path dependency, or [] for other dependencies.
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

  withPaths = import ../transitive-closure.nix {
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
  # list of { dir, manifest, name, isMember }: the packages in the project's directory. A manifest without
  # [package] is not among them; it only has settings of the workspace.
  locals = filter (one: one.manifest ? package) (map local (withPaths (
    if rootManifest ? package
    then memberDirs
    else [""] ++ memberDirs
  )));
  # those of `locals` that are workspace members
  members = filter (one: one.isMember) locals;

  # Returns the field `key` of [package], which can be inherited from the workspace, or null.
  inherits = one: key: let
    value = one.manifest.package.${key} or null;
  in
    if isAttrs value && value.workspace or false
    then (workspace.package or {}).${key} or null
    else value;

  # Returns a list with the Cargo.lock entry of a local package, or [].
  lockedAs = one: filter (p: !(p ? source) && p.name == one.name) lockedPackages;

  # list of strings: differences between Cargo.toml and Cargo.lock, for an error message that says what to do.
  # cargo detects all other differences during the build.
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

  # Returns the binary targets of a package as a list of { name, path, … }: those in the manifest and those
  # that cargo discovers (https://doc.rust-lang.org/cargo/reference/cargo-targets.html#target-auto-discovery).
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
    # In edition 2015, cargo discovers no binary targets if the manifest declares one.
    searches = manifest.package.autobins or (declared == [] || (inherits one "edition") != null && inherits one "edition" != "2015");
  in
    map (bin: bin // {path = pathFor bin;}) declared
    ++ (
      if searches
      then filter isNew found
      else []
    );

  libraryOf = one: one.manifest.lib.path or "src/lib.rs";
  # Returns the source files that cargo requires to accept a manifest, relative to the package. The dependency
  # build replaces them with placeholders.
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

  # attribute set: the project's cargo configuration
  config = let
    files = filter exists [".cargo/config.toml" ".cargo/config"];
  in
    if files == []
    then {}
    else readTOML (head files);
  # string or null: the directory in the project with the result of `cargo vendor`
  vendored = let
    sources = config.source or {};
    name = (sources.crates-io or {}).replace-with or null;
    directory = (sources.${name} or {}).directory or null;
  in
    if name == null || directory == null
    then null
    else resolve "" directory;

  outside = filter (p: p ? source) lockedPackages;
  # list: Cargo.lock entries of crates from git, with the additional attributes `url`, `commit` and `choice`.
  # `choice` is [] or [KIND NAME], where KIND is "branch", "tag" or "rev".
  fromGit = let
    ofGit = p: let
      parts = match "git[+]([^?#]*)([?]([a-z]*)=([^#]*))?#(.*)" p.source;
      decode = replaceStrings ["%20" "%23" "%2B" "%2F" "%3A" "%40" "%25"] [" " "#" "+" "/" ":" "@" "%"];
    in
      if parts == null
      then []
      else [
        (p
          // {
            choice =
              if elemAt parts 1 == null
              then []
              else [(elemAt parts 2) (decode (elemAt parts 3))];
            commit = elemAt parts 4;
            url = head parts;
          })
      ];
  in
    if vendored != null
    then []
    else concatMap ofGit outside;

  # list, as `locals`: packages in the project that external crates use because of [patch]. The dependency
  # build needs their real sources.
  usedFromOutside = let
    names = concatMap (p: map (entry: head (split " " entry)) (p.dependencies or [])) outside;
    used = filter (one: elem one.name names) locals;
  in
    map local (withPaths (map (one: one.dir) used));
in
  if stale != []
  then throw "Cargo.lock is older than Cargo.toml (${head stale}); run: cargo update --workspace"
  else {
    inherit at expand fromGit inherits locals members programsOf rootManifest targetFiles usedFromOutside vendored workspace;

    # list: Cargo.lock entries of crates from registries
    crates =
      if vendored != null
      then []
      else filter (p: p ? checksum) outside;

    # list of strings: directories with a Cargo.toml that cargo reads, those of the packages and their
    # parents, in which cargo searches the workspace root
    manifestDirs = let
      above = dir: let
        parts = partsOf dir;
      in
        genList (n: concatStringsSep "/" (genList (elemAt parts) n)) (length parts + 1);
    in
      filter (dir: exists (at dir "Cargo.toml")) (unique (concatMap (one: above one.dir) locals));

    # attribute set: the names of all packages in Cargo.lock, each with the value true
    lockedNames = listToAttrs (map (p: {
        inherit (p) name;
        value = true;
      })
      lockedPackages);
  }
