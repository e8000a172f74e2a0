# Lays out links to the files of Go modules as in the module cache of the go command.

mkdir "$out"
cd "$out"
{
  cut -d'|' -f1,2 "$modulesPath" | while IFS='|' read -r path version; do
    echo "${path%/*}" "cache/download/$path/@v"
  done
  cut -d'|' -f1 "$modFilesPath" | while read -r path; do echo "cache/download/$path/@v"; done
} | xargs -r mkdir -p
while IFS='|' read -r escaped version path h1 files; do
  ln -s "$files" "$escaped@$version"
  download=cache/download/$escaped/@v/$version
  printf '%s' "$h1" >"$download.ziphash"
  # A module without go.mod is from before modules; the go command makes this one up.
  if [[ -e $files/go.mod ]]; then
    ln -s "$files/go.mod" "$download.mod"
  else
    printf 'module %s\n' "$path" >"$download.mod"
  fi
done <"$modulesPath"
while IFS='|' read -r escaped version path file; do
  ln -sf "$file" "cache/download/$escaped/@v/$version.mod"
done <"$modFilesPath"
