# Moves files that only compilers read to the output `dev`, if a package has one. Images have neither this output nor
# what it refers to.

separateDev() {
  local file
  mkdir -p "$dev"
  for file in include lib/cmake lib/pkgconfig share/aclocal share/cmake share/pkgconfig; do
    [[ -e $out/$file ]] || continue
    mkdir -p "$(dirname "$dev/$file")"
    mv "$out/$file" "$dev/$file"
  done
  for file in "$out"/bin/*-config; do
    [[ -e $file ]] || continue
    mkdir -p "$dev/bin"
    mv "$file" "$dev/bin"
  done

  # Files for the linker: archives, and the names of libraries without a version.
  for file in "$out"/lib/*.a "$out"/lib/*.so; do
    [[ -e $file ]] || continue
    mkdir -p "$dev/lib"
    if [[ -L $file ]]; then
      ln -s "$(readlink -f "$file")" "$dev/lib/${file##*/}"
      rm "$file"
    elif [[ $file = *.so ]]; then
      ln -s "$file" "$dev/lib"
    else
      mv "$file" "$dev/lib"
    fi
  done
  rm -f "$out"/lib/*.la

  find "$dev" -type f \( -name '*.pc' -o -name '*.cmake' \) | while read -r file; do
    # CMake's files find what they describe relative to themselves.
    sed -i "s|$out/include|$dev/include|g; s|^includedir=.*prefix}/include|includedir=$dev/include|
      s|\${_IMPORT_PREFIX}/include|$dev/include|g; s|\${_IMPORT_PREFIX}/|$out/|g" "$file"
  done
}

# Reports files that would bring the toolchain into an image.
noteToolchain() {
  local input paths='' place file
  for input in $initialPath $nativeBuildInputs; do paths+=$input$'\n'; done
  for input in $buildInputs; do
    [[ $input != *-dev_* && $input != *-dev ]] || paths+=$input$'\n'
  done
  for place in bin etc lib libexec sbin share; do
    [[ ! -e $out/$place ]] || grep -rlF "${paths%$'\n'}" "$out/$place" || true
  done | while read -r file; do
    echo "note: $file refers to $(grep -oF "${paths%$'\n'}" "$file" | head -n 1), which an image would hold too"
  done
}

[[ -z ${dev:-} ]] || separateDev
noteToolchain
