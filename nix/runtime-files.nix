# Returns a function. It returns a derivation with links to files that the image needs at their paths on a
# Debian system: those that libraries in the image open (runtime-files.toml), and those of `runtimePackages`.
# The image has the links below /. The function returns null if there can be no such files.
{
  # derivation: static bash and busybox in bin/ (toolchain/bootstrap.nix)
  bootstrap,
  # string: system of the build machine, such as "x86_64-linux"
  system,
}: {
  # attribute set: target.nix
  target,
  # derivation: the package that the image runs
  package,
  # list of derivations: packages whose programs the image has
  packages ? [],
  # list of Debian packages: packages whose files the image always has
  runtimePackages,
}: let
  inherit (builtins) attrNames concatMap concatStringsSep elemAt filter fromTOML genList length map match readFile replaceStrings toFile;
  inherit (target) libraries;
  inherit (target.platform) gnu;

  available = libraries // {inherit (target) gconv;};
  matching = pattern: filter (name: match pattern name != null) (attrNames available);
  packagesOf = patterns: map (name: available.${name}) (concatMap matching patterns);

  # Returns a line CONDITION|PATHS|PACKAGES. The condition is the store path of a library, or =SYMBOL.
  line = condition: row: packages:
    concatStringsSep "|" [
      condition
      (replaceStrings ["@gnu@"] [gnu] (concatStringsSep " " row.paths))
      (concatStringsSep " " packages)
    ];
  linesOf = row: let
    from = packagesOf (row.from or []);
    ofLibrary = name:
      line (toString libraries.${name}) row (
        if row ? from
        then from
        else [libraries.${name}]
      );
  in
    if row ? from && from == []
    then []
    else if row ? symbol
    then [(line "=${row.symbol}" row from)]
    else map ofLibrary (filter (name: libraries ? ${name}) (matching row.library));

  rows = concatMap linesOf (fromTOML (readFile ./runtime-files.toml)).row;
in
  if rows == [] && packages == [] && runtimePackages == []
  then null
  else
    derivation {
      inherit gnu packages runtimePackages system;
      PATH = "${bootstrap}/bin";
      name = "image-files";
      args = ["-e" ./runtime-files.sh];
      builder = "${bootstrap}/bin/bash";
      exportReferencesGraph = let
        all = [package] ++ packages;
      in
        concatMap (number: ["closure-${toString number}" (elemAt all number)]) (genList (number: number) (length all));
      rows = concatStringsSep "\n" rows;
    }
