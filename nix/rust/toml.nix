# Returns a function from an attribute set to TOML text (https://toml.io/en/v1.0.0), for generated manifests.
# toJSON writes everything except tables, because these values have the same syntax in TOML and JSON.
let
  inherit (builtins) attrNames concatMap concatStringsSep filter isAttrs isList map toJSON;

  inline = value:
    if isAttrs value
    then "{ " + concatStringsSep ", " (map (key: "${toJSON key} = ${inline value.${key}}") (attrNames value)) + " }"
    else if isList value
    then "[" + concatStringsSep ", " (map inline value) + "]"
    else toJSON value;

  isTable = value: isAttrs value;
  isTableArray = value: isList value && value != [] && isAttrs (builtins.head value);

  # Returns the lines of a table: first its plain keys, then its subtables.
  table = path: attrs: let
    plain = filter (key: !(isTable attrs.${key} || isTableArray attrs.${key})) (attrNames attrs);
    header = key: concatStringsSep "." (path ++ [(toJSON key)]);
    nested = key:
      if isTable attrs.${key}
      then ["" "[${header key}]"] ++ table (path ++ [(toJSON key)]) attrs.${key}
      else if isTableArray attrs.${key}
      then concatMap (row: ["" "[[${header key}]]"] ++ map (k: "${toJSON k} = ${inline row.${k}}") (attrNames row)) attrs.${key}
      else [];
  in
    map (key: "${toJSON key} = ${inline attrs.${key}}") plain ++ concatMap nested (attrNames attrs);
in
  attrs: concatStringsSep "\n" (table [] attrs) + "\n"
