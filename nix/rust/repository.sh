# Lays out the crates of the repository $files, $crates, as links.

mkdir -p "$out/crates"
cp -r "$files" "$out/repository"
chmod -R u+w "$out/repository"
cd "$out/repository"

# Prints the nearest directory above $1 that has a workspace's manifest, or nothing if $1 is a workspace itself.
workspaceOf() {
  local directory=$1
  while ! grep -q '^\[workspace[].]' "$directory/Cargo.toml" 2>/dev/null; do
    [[ $directory != . ]] || return 0
    if [[ $directory = */* ]]; then
      directory=${directory%/*}
    else
      directory=.
    fi
  done
  [[ $directory = "$1" ]] || echo "$directory"
}

while IFS='|' read -r name directory; do
  workspace=$(workspaceOf "$directory")
  if [[ -n $workspace ]]; then
    # Paths in its own manifest are relative to it.
    awk -v workspace="../../repository/$workspace" '
      /^\[/ { inPackage = $0 ~ /^\[package\]/ }
      inPackage && /^workspace *=/ { next }
      { print }
      /^\[package\]/ { print "workspace = \"" workspace "\"" }
    ' "$directory/Cargo.toml" >Cargo.toml.new
    mv Cargo.toml.new "$directory/Cargo.toml"
  fi
  echo '{"files":{},"package":null}' >"$directory/.cargo-checksum.json"
  ln -s "../repository/$directory" "$out/crates/$name"
done <<<"$crates"
