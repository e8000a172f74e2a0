# Changes the arguments of a linker, the array `args`, so that the program or shared library runs with any C library
# from the chosen version on. The compiler's wrapper (cc.nix) reads it if NIX_LINK_PLATFORM names its directory;
# `compiler` is the command without these arguments.
#
# Libraries with an archive are linked statically, unless the archive needs what no library has, or a shared library
# cannot contain it. The others, such as those of Kerberos, must be on the system that the program runs on. If the
# file `libraries` says `bundled`, all are linked dynamically.

# Sets `linked`, the arguments with the archives of all libraries except those in `refused`.
linkStatically() {
  local arg directory file hidden=libcompat.a
  linked=()
  for arg in "${args[@]}"; do
    case $arg in
      -l?*)
        for directory in "${directories[@]}"; do
          file=$directory/lib${arg#-l}.a
          [[ -e $file && -z ${refused[$file]:-} ]] || continue
          arg=$file
          break
        done
        ;;
      /nix/store/*.so)
        file=${arg%.so}.a
        [[ ! -e $file || -n ${refused[$file]:-} ]] || arg=$file
        ;;
    esac
    linked+=("$arg")
  done
  # The linker finds what archives need from each other in the archives of all libraries, and in shared objects what
  # no archive has.
  linked+=('-Wl,--start-group')
  for file in "${archives[@]}"; do
    hidden+=:${file##*/}
    [[ -n ${refused[$file]:-} ]] || linked+=("$file")
  done
  linked+=('-Wl,--end-group' '-Wl,--as-needed' "${shared[@]}")
  # A shared library keeps the functions of archives to itself, since their code often is for programs, in which it
  # cannot be replaced.
  [[ -z $isLibrary ]] || linked+=("-Wl,--exclude-libs,$hidden")
  # Archives may contain C++.
  [[ " ${compiler[*]} ${args[*]} " != *' --sysroot='*-sysroot-cxx-* ]] || linked+=(-lstdc++ -lm)
}

# Fails if a shared library uses functions that the chosen C library does not have. The linker only warns, since
# plugins leave functions undefined that their program has.
refuseNewer() {
  local name version used
  used=" $(sed -n 's/.*undefined symbol: \([^ ]*\).*/\1/p' "$log" | tr '\n' ' ')"
  while read -r name version; do
    [[ $used != *" $name "* ]] || echo "error: undefined symbol: $name, which glibc has since $version; choose that version, or do without the function"
  done <"$link/newer" | sort -u >"$log"
  if [[ -s $log ]]; then
    cat "$log" >&2
    rm "$log"
    exit 1
  fi
}

if [[ " ${args[*]} " != *' -c '* && " ${args[*]} " != *' -r '* ]]; then
  link=$(dirname "${BASH_SOURCE[0]}")
  log=${TMPDIR:-/tmp}/link.$$
  directories=() archives=() shared=() isLibrary=
  for arg in "${args[@]}"; do
    case $arg in
      -L/nix/store/?*) directories+=("${arg#-L}") ;;
      -shared) isLibrary=yes ;;
    esac
  done
  # These shared objects are not those of the system that the program will run on.
  args=("-L$link" '-Wl,--allow-shlib-undefined' "${args[@]}")
  attempt=('-Wl,--error-limit=0')
  if [[ -n $isLibrary ]]; then
    attempt+=('-Wl,-z,defs' '-Wl,--warn-unresolved-symbols')
  else
    args+=('-Wl,--wrap=__libc_start_main')
  fi
  if [[ $(<"$link/libraries") = static ]]; then
    for directory in "${directories[@]}"; do
      for file in "$directory"/lib*.a; do
        [[ ! -e $file || -e ${file%/*}/libc.so.6 ]] || archives+=("$file")
      done
      for file in "$directory"/lib*.so.*; do
        # The C library and the compiler's libraries are replaced by others. libBrokenLocale repeats a function of the first.
        name=${file##*/}
        [[ ! -f $file || -e $link/${name%%.so.*}.so || $name = libBrokenLocale.* ]] || shared+=("$file")
      done
    done
    declare -A refused=()
    linkStatically
  else
    linked=('-Wl,--as-needed' "${args[@]}")
    [[ -z $isLibrary ]] || linked+=('-Wl,--exclude-libs,libcompat.a')
  fi
  if [[ -n ${archives[*]} || -n $isLibrary ]]; then
    # Each attempt refuses an archive, so there are no more attempts than archives.
    while
      count=${#refused[@]}
      "${compiler[@]}" "${linked[@]}" "${attempt[@]}" >/dev/null 2>"$log" || true
      while read -r file; do refused[$file]=yes; done < <(
        sed -n '/undefined symbol\|cannot be used\|recompile/,/^$/s/.*in archive \(\/nix\/store\/.*[.]a\)$/\1/p' "$log"
      )
      ((${#refused[@]} > count))
    do
      linkStatically
    done
    [[ -z $isLibrary ]] || refuseNewer
    rm -f "$log"
  fi
  args=("${linked[@]}")
fi
