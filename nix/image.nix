# Returns a function from a package to a derivation with an OCI image layout
# (https://github.com/opencontainers/image-spec/blob/main/image-layout.md). The image has the package's
# runtime closure, users, certificates and /tmp, the files that its libraries open (runtime-files.nix), and the
# files that `contents` names.
#
# Each library in `likely` becomes a layer in a derivation of its own, so that a change of the program
# compresses only the program's layer again. The closure is known only after the package is built. The image's
# derivation packs the store paths that have no layer yet.
{
  # derivation: static bash and busybox in bin/ (toolchain/bootstrap.nix)
  bootstrap,
  # attribute set: the Debian packages busybox-static and strace, ARCHITECTURE.NAME
  debugTools,
  # derivation of slipway-pack, the program that writes image layouts
  pack,
  # string: system of the build machine, such as "x86_64-linux"
  system,
  # attribute set: target.nix for each platform
  targets,
}: let
  inherit (builtins) attrNames attrValues concatMap elemAt filter head isAttrs isInt isList length listToAttrs map mapAttrs match pathExists placeholder removeAttrs substring tail toFile toJSON typeOf;
in
  {
    # derivation: the package to run, from Slipway, nixpkgs or another flake
    package,
    # string or list of strings: path of the program, relative to the package or absolute, and its first
    # arguments
    entrypoint ? "bin/${(package.meta or {}).mainProgram or package.pname or package.name}",
    # attribute set: the package's target, from lib.targets. By default it is the target of the package's
    # `platformName`, or the one with the package's system.
    target ? let
      nixSystem = ((package.stdenv or {}).hostPlatform or {}).system or package.system;
      fitting = filter (target: target.platform.nix == nixSystem) (attrValues targets);
    in
      if package ? platformName
      then targets.${package.platformName}
      else if fitting == []
      then throw "${package.name} is for ${nixSystem}, which is not a platform of Slipway; name a target"
      else head fitting,
    # attribute set: users besides root and nonroot, by name. A value is the user ID, or { uid, gid, home }.
    accounts ? {},
    # attribute set of strings: annotations of the manifest, and of an index whose images all have them
    annotations ? {},
    # derivation, path or null: an OCI image layout whose layers lie below those of the image. Its settings remain,
    # besides how the program is started. The image then has users and certificates of its own only if `accounts` or
    # `certificates` name some.
    base ? null,
    # list of paths: certificate authorities in PEM format, besides Mozilla's
    certificates ? [],
    # list of strings: default arguments of the program
    cmd ? [],
    # string: compression of the layers, "zstd" or "gzip"
    compression ? "zstd",
    # attribute set: files and trees by their paths in the image. A value is a path of the source tree, a
    # derivation or another path in the store, or { source, mode, owner } with one as `source`.
    contents ? {},
    # attribute set of strings: environment variables
    env ? {},
    # list of strings: exposed ports, such as "8080" or "53/udp"
    expose ? [],
    # attribute set or null: Docker's health check, with the fields of a Compose file, such as
    # { test = ["CMD" "/bin/app" "--check"]; interval = "30s"; }
    healthcheck ? null,
    # attribute set of strings: labels of the image's configuration. Those that begin with
    # org.opencontainers. become annotations, too.
    labels ? {},
    # list of derivations: packages whose libraries the package probably needs. By default these are its
    # runtimeInputs.
    likely ? package.runtimeInputs or [],
    # integer: maximum number of layers
    maxLayers ? 100,
    # list of derivations: further packages of the image, whose programs it has in /usr/bin
    packages ? [],
    # list of Debian packages or their names in slipway.lock: packages whose files the program opens at run
    # time. The image has links to these files, and to those of packages that these depend on, at their paths on
    # a Debian system.
    runtimePackages ? [],
    # attribute set: the flake with the sources, for annotations with its commit (source-annotations.nix)
    self ? {},
    # list of strings: the shell of health checks that are a string, such as ["/bin/sh" "-c"]
    shell ? [],
    # string or null: the signal that ends the program, such as "SIGINT"
    stopSignal ? null,
    # string: user and group, UID:GID
    user ? "65532:65532",
    # list of strings: directories that engines mount a volume on
    volumes ? [],
    # string: working directory
    workdir ? "/",
    # list of strings, or attribute set of { mode, owner } by path: directories that the user may write to
    writable ? [],
  }: let
    packer = name: args:
      derivation ({
          inherit name system;
          builder = "${pack}/bin/slipway-pack";
        }
        // args);

    layer = name: args:
      packer "${name}-layer" {
        args = ["layer" "--out" (placeholder "out") "--compression" compression] ++ args;
      };

    # The libraries among the packages, by Debian's naming rules. A -dev package or the output `dev` of another
    # one represents its dependencies.
    isDev = input: match ".*-dev" (input.pin.name or "") != null || (!(input ? pin) && (input.outputName or "") == "dev");
    isLibrary = input: !isDev input && match "lib.*|zlib1g" (input.pin.name or "lib") != null && input.outputName == "out";
    ready = filter isLibrary (import ./transitive-closure.nix {
        key = input: input.outPath;
        next = input:
          if isDev input || isLibrary input
          then filter (next: isLibrary next || (isDev next && !(input ? pin))) (input.runtimeInputs or [] ++ input.depends or [])
          else [];
      }
      (likely ++ filter (input: !(input ? pin)) (package.runtimeInputs or []) ++ linked));
    # libraries that stdenv links to every program
    linked =
      if package ? runtimeInputs
      then map (name: target.libraries.${name}) (filter (name: target.libraries ? ${name}) ["libc6" "libgcc-s1" "libstdc++6"])
      else [];

    files = import ./runtime-files.nix {inherit bootstrap system;} {
      inherit package packages target;
      runtimePackages = withData (map pinned runtimePackages);
    };
    pinned = wanted: let
      inherit (target.platform) debian oci;
    in
      if isAttrs wanted
      then wanted
      else target.libraries.${wanted} or (throw "slipway.lock has no ${wanted} for ${debian} (${oci}); run: slipway add ${wanted}");
    # Adds the packages that these depend on. Libraries are found by store paths, and what every image has is
    # left out.
    withData = import ./transitive-closure.nix {
      key = input: input.outPath;
      next = input:
        filter (
          input: let
            inherit (input.pin) name;
          in
            match "lib.*-(common|data|mgc)" name != null || match "ca-certificates|gcc-.*-base|lib.*|zlib1g" name == null
        ) (input.depends or []);
    };

    accountList = map (name: let
      account =
        if isInt accounts.${name}
        then {uid = accounts.${name};}
        else accounts.${name};
    in "${name}=${toString account.uid}:${toString (account.gid or account.uid)}:${account.home or "/"}")
    (attrNames accounts);

    systemLayer = layer "root" (["--system"]
      ++ concatMap (account: ["--account" account]) accountList
      ++ concatMap (file: ["--certificates" file])
      (["${target.libraries.ca-certificates}/share/ca-certificates/mozilla"] ++ map (stored "certificates") certificates));

    # Returns a path in the store for a source of `contents`. A file of the source tree becomes a store path of
    # its own, so that other files do not change the image.
    stored = wanted: source:
      if typeOf source == "path" && !pathExists source
      then throw "${wanted}: there is no ${toString source}; Nix only sees files that git tracks"
      else if typeOf source == "path"
      then
        builtins.path {
          path = source;
          name =
            if match "[a-zA-Z0-9+_?=-][a-zA-Z0-9+._?=-]*" (baseNameOf source) == null
            then "content"
            else baseNameOf source;
        }
      else if match "${builtins.storeDir}/.*" "${source}" == null
      then throw "${wanted}: ${source} is not in the Nix store; write a path such as ./${baseNameOf source}"
      else "${source}";

    contentsList = let
      hasAttributes = value: isAttrs value && !(value ? outPath);
      content = path: value:
        if hasAttributes value
        then value // {source = stored path value.source;}
        else {source = stored path value;};
    in
      derivation {
        inherit system;
        PATH = "${bootstrap}/bin";
        name = "image-contents";
        args = ["-e" "-c" "cat \"$jsonPath\" >\"$out\""];
        builder = "${bootstrap}/bin/bash";
        json = toJSON {
          inherit user;
          accounts = accountList;
          contents = mapAttrs content contents;
          writable =
            if isList writable
            then
              listToAttrs (map (name: {
                  inherit name;
                  value = {};
                })
                writable)
            else writable;
        };
        passAsFile = ["json"];
      };
    hasSystem = base == null || accounts != {} || certificates != [];
    hasContents = contents != {} || (writable != {} && writable != []);

    # Returns the path in the image of a program that is named relative to the package.
    programPath = name:
      builtins.unsafeDiscardStringContext (
        if substring 0 1 name == "/"
        then name
        else "${package}/${name}"
      );
    # list of strings: the program's path, and its arguments
    command = let
      words =
        if isList entrypoint
        then entrypoint
        else [entrypoint];
    in
      [(programPath (head words))] ++ tail words;
    # The command of a health check can name a program as `entrypoint` does.
    check = let
      words = healthcheck.test or [];
      isProgram = isList words && length words > 1 && head words == "CMD" && match ".*/.*" (elemAt words 1) != null;
    in
      if healthcheck != null && isProgram
      then healthcheck // {test = ["CMD" (programPath (elemAt words 1))] ++ tail (tail words);}
      else healthcheck;

    graphs =
      ["closure" package]
      ++ (
        if files == null
        then []
        else ["files" files]
      )
      ++ (
        if hasContents
        then ["contents" contentsList]
        else []
      );

    config = toFile "image.json" (toJSON {
      inherit cmd compression expose labels shell stopSignal user volumes workdir;
      # What the arguments say counts more than the commit.
      annotations = (base.annotations or {}) // removeAttrs (import ./source-annotations.nix {inherit self;}) (attrNames labels) // annotations;
      entrypoint = command;
      healthcheck = check;
      env =
        (
          if hasSystem
          then {SSL_CERT_FILE = "/etc/ssl/certs/ca-certificates.crt";}
          else {}
        )
        // env;
      platform = target.platform.oci;
    });

    production = packer "image-${target.platform.debian}" {
      args =
        ["image" "--out" (placeholder "out") "--config" config "--graph" "closure" "--max-layers" (toString maxLayers)]
        ++ (
          if files == null
          then []
          else ["--graph" "files" "--root" files]
        )
        ++ (
          if hasContents
          then ["--graph" "contents" "--contents" contentsList "--contents-layer" (layer "contents" ["--contents" contentsList])]
          else []
        )
        ++ (
          if base == null
          then []
          else ["--base" base]
        )
        ++ concatMap (dir: ["--layer" dir])
        ((
            if hasSystem
            then [systemLayer]
            else []
          )
          ++ map (input: layer (baseNameOf input.name) [input]) ready);
      exportReferencesGraph = graphs;
    };

    # The same image with a shell and tools in further layers.
    debug = let
      tools = debugTools.${target.platform.debian};
      links = import ./debug-files.nix {inherit bootstrap system;} {
        inherit (tools) strace;
        busybox = tools.busybox-static;
        # A base has a shell of its own, perhaps below a link /bin.
        shell = base == null;
      };
    in
      packer "image-debug-${target.platform.debian}" {
        args =
          ["image" "--out" (placeholder "out") "--config" config "--base" production "--max-layers" (toString (maxLayers + 10))]
          ++ ["--graph" "debug" "--root" links]
          ++ concatMap (tool: ["--layer" (layer (baseNameOf tool.name) [tool])]) [tools.busybox-static tools.strace];
        exportReferencesGraph = ["debug" links];
      };
  in
    production
    # debug: derivation, the image with a shell and tools
    # graphs: list, the image's contents, as a value for exportReferencesGraph
    // {inherit debug graphs;}
