# Returns a function from Debian packages, by name, to derivations that can be in nativeBuildInputs, by the
# same names. The packages are those of the set `tools` in slipway.lock. Each derivation's programs find the
# programs that they run, and find their data by the variables that tools.toml lists. Scripts run with the
# interpreter on PATH.
{
  # derivation: static bash and busybox in bin/ (toolchain/bootstrap.nix)
  bootstrap,
  # string: system of the build machine, such as "x86_64-linux"
  system,
}: pinned: let
  inherit (builtins) attrNames concatStringsSep filter fromTOML head listToAttrs map mapAttrs match readFile replaceStrings;

  rows = (fromTOML (readFile ./tools.toml)).tool;
  rowOf = name: head (filter (row: row.package == name) rows ++ [{}]);

  withDepends = import ../transitive-closure.nix {
    key = package: package.pin.name;
    next = package: package.depends;
  };

  tool = name: package: let
    depends = withDepends [package];
    paths = listToAttrs (map (one: {
        name = one.pin.name;
        value = "${one}";
      })
      depends);
    resolve = replaceStrings (map (one: "@${one}@") (attrNames paths)) (builtins.attrValues paths);
    variables = (rowOf name).variables or {};
  in
    derivation {
      inherit package system;
      # the programs that it runs: its dependencies without libraries
      others = map (one: tool one.pin.name one) (filter (one: one.pin.name != name && match "lib.*|zlib1g" one.pin.name == null) depends);
      PATH = "${bootstrap}/bin";
      name = "tool-${name}";
      args = ["-e" ./tools.sh];
      builder = "${bootstrap}/bin/bash";
      exports = concatStringsSep "\n" (map (variable: "export ${variable}='${resolve variables.${variable}}'") (attrNames variables));
    };

  # For packages that builds often need, an error message that explains how to add them.
  missing = listToAttrs (map (row: {
      name = row.package;
      value = throw "slipway.lock has no ${row.package} for builds; run: slipway add --build ${row.package}";
    })
    rows);
in
  missing // mapAttrs tool pinned
