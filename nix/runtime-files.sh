# Links the files that libraries of the closure open, as $rows of runtime-files.nix list them, all files of
# $runtimePackages, and the programs of $packages.

mkdir "$out"
shopt -s dotglob nullglob

# Whether the directory $1 has files of several packages. It must then be a directory in the image, not a link.
isShared() {
  case $1 in
    /etc | /etc/* | /lib | /usr | /usr/bin | /usr/lib | "/usr/lib/$gnu" | /usr/libexec | /usr/sbin | /usr/share | /usr/share/misc) true ;;
    *) false ;;
  esac
}

# Links the file or directory $2 of a package as $1. If another package has the same directory, its entries are
# linked instead. If both have the same file, the first package wins.
link() {
  local path=$1 source=$2 child earlier
  if [[ -d $source && ! -L $source ]]; then
    if ! isShared "$path"; then
      if [[ ! -e $out$path ]]; then
        mkdir -p "$out${path%/*}"
        ln -s "$source" "$out$path"
        return
      fi
      if [[ -L $out$path ]]; then
        earlier=$(readlink "$out$path")
        [[ $earlier != "$source" ]] || return 0
        rm "$out$path"
        mkdir "$out$path"
        for child in "$earlier"/*; do link "$path/${child##*/}" "$child"; done
      fi
    fi
    for child in "$source"/*; do link "$path/${child##*/}" "$child"; done
  elif [[ ! -e $out$path && ! -L $out$path ]]; then
    mkdir -p "$out${path%/*}"
    ln -s "$source" "$out$path"
  fi
}

grep -h '^/nix/store/[^/]*$' closure-* | sort -u >paths

# Whether a program or library of the closure imports the symbol $1. The C and the C++ library do not count.
isImported() {
  local path
  while read -r path; do
    [[ $path != *-libc6_* && $path != *-libstdc++6_* ]] || continue
    ! grep -qrF "$1" "$path/bin" "$path/lib" 2>/dev/null || return 0
  done <paths
  return 1
}

while IFS='|' read -r condition wanted sources; do
  case $condition in
    =*) isImported "${condition#=}" || continue ;;
    *) grep -qxF "$condition" paths || continue ;;
  esac
  for path in $wanted; do
    for package in $sources; do
      source=$package${path#/usr}
      [[ ! -e $source ]] || link "$path" "$source"
    done
  done
done <<<"$rows"

for package in $runtimePackages; do
  for part in "$package"/*; do
    case ${part##*/} in
      etc) link /etc "$part" ;;
      nix-support) ;;
      share)
        for child in "$part"/*; do
          [[ ${child##*/} = doc ]] || link "/usr/share/${child##*/}" "$child"
        done
        ;;
      *) link "/usr/${part##*/}" "$part" ;;
    esac
  done
done

for package in $packages; do
  for program in "$package"/bin/*; do
    path=/usr/bin/${program##*/}
    if [[ -L $out$path ]]; then
      echo "$path comes from $(readlink "$out$path") and from $program; leave one of the packages out" >&2
      exit 1
    fi
    link "$path" "$program"
  done
done
