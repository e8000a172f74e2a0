# Unpacks the package $src into $out. /usr becomes the root, documentation except the license is left out, and ELF
# files find their libraries in $out and $depends. An empty $interpreter means that this is the C library, which must
# not be changed.

dpkg-deb -x "$src" "$out"
cd "$out"
shopt -s extglob
rm -rf !(etc|usr)
if [[ -d usr ]]; then
  mv usr/* .
  rmdir usr
fi

rm -rf lib64 lib/*/gconv lib/*/audit share/bug share/lintian share/locale share/man
if [[ -d share ]]; then
  [[ ! -d share/doc ]] || find share/doc ! -type d ! -name copyright -exec rm -f {} +
  find share -depth -type d -exec rmdir {} + 2>/dev/null || true
fi

# The package itself, then those it depends on. Where several declare one alternative, the highest priority
# comes first (alternatives.sh).
source "$alternatives"
packages=("$out" $(byPriority $depends))

# Prints where the packages have a path of a Debian system, one place per line.
placesOf() {
  local package path=${1#/usr}
  for package in "${packages[@]}"; do
    [[ ! -e $package$path ]] || printf '%s\n' "$package$path"
  done
}

# Prints an absolute path without . and ..
normalize() {
  local part parts=()
  local IFS=/
  for part in $1; do
    case $part in
      '' | .) ;;
      ..) [[ ${#parts[@]} = 0 ]] || unset "parts[-1]" ;;
      *) parts+=("$part") ;;
    esac
  done
  printf '/%s\n' "${parts[*]}"
}

# Links lead to the store: to the same package, or to another, as from a -dev package to its library.
find . -type l | while read -r link; do
  target=$(readlink "$link")
  if [[ $target != /* ]]; then
    [[ ! -e $link ]] || continue
    target=$(normalize "${link%/*}/$target")
  fi
  read -r place < <(placesOf "$target") || continue
  ln -sfn "$place" "$link"
done

dpkg-deb -e "$src" "$NIX_BUILD_TOP/control"
layOutAlternatives "$NIX_BUILD_TOP/control/postinst"

[[ -n $interpreter ]] || exit 0

rpath=
for package in "${packages[@]}"; do
  [[ ! -d $package/lib/$gnu ]] || rpath+=${rpath:+:}$package/lib/$gnu
done

# Prints the store's directories for those in $2, Debian's own RUNPATH of the file $1, without the default ones.
# Unused directories stay, because plugins may be in them.
translateRunpath() {
  local entry entries place places=
  IFS=: read -r -a entries <<<"$2"
  for entry in "${entries[@]}"; do
    entry=${entry/'${ORIGIN}'/'$ORIGIN'}
    entry=$(normalize "${entry/#'$ORIGIN'//usr/${1%/*}}")
    entry=${entry#/usr}
    case $entry in
      / | /lib | /lib64 | "/lib/$gnu" | "/usr/lib/$gnu") continue ;;
    esac
    while read -r place; do
      places+=${places:+:}$place
    done < <(placesOf "$entry")
  done
  printf '%s\n' "$places"
}

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
  if own=$(patchelf --print-rpath "$file" 2>/dev/null); then
    patchelf --set-rpath "$rpath" "$file"
    patchelf --shrink-rpath "$file"
    private=
    [[ -z $own ]] || private=$(translateRunpath "$file" "$own")
    if [[ -n $private ]]; then
      shared=$(patchelf --print-rpath "$file")
      patchelf --set-rpath "$private${shared:+:$shared}" "$file"
    fi
  fi
done

find . -name '*.pc' | while read -r file; do
  sed -i -E "s#(=|-I|-L|[[:space:]])/usr(/|[[:space:]]|\$)#\1$out\2#g" "$file"
done
