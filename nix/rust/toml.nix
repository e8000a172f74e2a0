# A value as TOML (https://toml.io/en/v1.0.0), for the manifests that are put together here.
# What TOML and JSON spell alike, which is all but tables, is left to toJSON.
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

  # the lines of a table: first its plain keys, then the tables in it
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
