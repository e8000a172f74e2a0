# Unpacks the package $src into $out: /usr becomes the root, documentation but for the licence is
# left out, and what is ELF finds its libraries in $out and $depends. An empty $interpreter says
# that this is the C library, which nothing may change.

dpkg-deb -x "$src" tree
mkdir -p "$out"
for part in usr etc; do
  [[ ! -d tree/$part ]] || cp -a "tree/$part" "$out/$part"
done
cd "$out"
if [[ -d usr ]]; then
  mv usr/* .
  rmdir usr
fi

rm -rf lib64 lib/*/gconv lib/*/audit share/bug share/lintian share/locale share/man
if [[ -d share ]]; then
  find share/doc ! -type d ! -name copyright -exec rm -f {} +
  find share -depth -type d -exec rmdir {} + 2>/dev/null || true
fi

# A -dev package links to the library in the package it depends on.
find . -type l | while read -r link; do
  for dir in $depends; do
    target=$dir/${link%/*}/$(readlink "$link")
    if [[ ! -e $link && -e $target ]]; then ln -sfn "$target" "$link"; fi
  done
done

[[ -n $interpreter ]] || exit 0

rpath=
for dir in "$out" $depends; do
  [[ ! -d $dir/lib/$gnu ]] || rpath+=${rpath:+:}$dir/lib/$gnu
done

isElf() {
  local magic
  IFS= LC_ALL=C read -r -d '' -n 4 magic <"$1" || true
  [[ $magic = $'\x7fELF' ]]
}

find . -type f \( -perm -u+x -o -name '*.so*' \) | while read -r file; do
  isElf "$file" || continue
  if patchelf --print-interpreter "$file" >/dev/null 2>&1; then
    patchelf --set-interpreter "$interpreter" "$file"
  fi
  # A static program has no dynamic section, so no RUNPATH.
  if patchelf --print-rpath "$file" >/dev/null 2>&1; then
    patchelf --add-rpath "$rpath" "$file"
    patchelf --shrink-rpath "$file"
  fi
done

find . -name '*.pc' | while read -r file; do
  sed -i "s|^prefix=/usr\$|prefix=$out|; s|=/usr/|=$out/|" "$file"
done
