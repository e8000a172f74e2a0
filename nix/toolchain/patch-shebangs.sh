# Changes scripts in the given directories to use the interpreters on PATH. The sandbox has neither /bin/sh nor
# /usr/bin/env.

find "$@" -type f -perm -u+x | while read -r file; do
  IFS= LC_ALL=C read -r -d '' -n 2 magic <"$file" || true
  [[ $magic = '#!' ]] || continue
  read -r line <"$file" || true
  read -r program arguments <<<"${line#??}"
  if [[ $program = */env ]]; then read -r program arguments <<<"$arguments"; fi
  found=$(command -v "${program##*/}") || continue
  # Files made from the script must not look out of date.
  touch -r "$file" shebang-time
  sed -i "1s|.*|#!$found${arguments:+ $arguments}|" "$file"
  touch -r shebang-time "$file"
done
rm -f shebang-time
