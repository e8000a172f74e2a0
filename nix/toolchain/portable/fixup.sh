# Takes the store out of the programs in $out/bin: their loader becomes the system's. Copies the shared libraries that
# they need and no system has to $out/lib/$libraryDirectory, which is their RUNPATH, relative to them. Writes the file
# `libraries` (portable.nix). The fixup phase ends with this script.

# Prints the path of a shared library that an ELF file needs, as the loader in the store finds it.
findLibrary() {
  local file=$1 soname=$2 directory IFS=:
  for directory in "$out/lib" $(patchelf --print-rpath "$file"); do
    if [[ -e $directory/$soname ]]; then
      echo "$directory/$soname"
      return
    fi
  done
}

# Sets the RUNPATH of an ELF file if it needs one of the copied libraries, and else removes it. Further arguments are
# options of patchelf.
setSearchPath() {
  local file=$1 path=$2 soname
  shift 2
  for soname in $(patchelf --print-needed "$file"); do
    if [[ -e $copies/$soname ]]; then
      patchelf "$@" --set-rpath "$path" "$file"
      return
    fi
  done
  # An empty RUNPATH takes the place of the store paths before it goes.
  patchelf "$@" --set-rpath "" "$file"
  patchelf --remove-rpath "$file"
}

copies=$out/lib/$libraryDirectory copied=() ofSystem=()
files=("$out"/bin/*)
for ((number = 0; number < ${#files[@]}; number++)); do
  file=${files[number]}
  for soname in $(patchelf --print-needed "$file" 2>/dev/null); do
    library=$(findLibrary "$file" "$soname")
    # The C library is always the system's.
    [[ -n $library && ! -e ${library%/*}/libc.so.6 ]] || continue
    if [[ $library = /nix/store/*_*_"$debianArchitecture"/* && $(<"$link/libraries") = static ]]; then
      package=${library#/nix/store/*-}
      ofSystem+=("$soname ${package%%_*}")
    elif [[ " ${copied[*]} " != *" $copies/$soname "* ]]; then
      [[ $library -ef $copies/$soname ]] || install -D -m 644 "$library" "$copies/$soname"
      copied+=("$copies/$soname")
      files+=("$library")
    fi
  done
done
for line in "${ofSystem[@]}"; do echo "$line"; done | sort -u >"$out/libraries"

for file in "$out"/bin/*; do
  patchelf --print-interpreter "$file" >/dev/null 2>&1 || continue
  setSearchPath "$file" "\$ORIGIN/../lib/$libraryDirectory" --set-interpreter "$loader"
done
for file in "${copied[@]}"; do
  setSearchPath "$file" '$ORIGIN'
done
