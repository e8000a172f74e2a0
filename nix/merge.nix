# Returns the function lib.merge, which merges the outputs of several projects, such as those of a cargo
# workspace and of Go modules in one repository. Of outputs with one name, it takes the first.
outputs: let
  inherit (builtins) attrNames catAttrs concatMap foldl' listToAttrs map;

  first = sets: foldl' (merged: set: set // merged) {} sets;
  names = attrNames (first outputs);
in
  listToAttrs (map (kind: {
      name = kind;
      value = let
        sets = catAttrs kind outputs;
      in
        # `lib` has no systems.
        if kind == "lib"
        then first sets
        else
          listToAttrs (concatMap (set:
            map (system: {
              name = system;
              value = first (catAttrs system sets);
            }) (attrNames set))
          sets);
    })
    names)
