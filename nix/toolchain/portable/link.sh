# Changes the arguments of a linker, the array `args`, so that the program runs with any C library from the chosen
# version on. The compiler's wrapper (cc.nix) reads it if NIX_LINK_PLATFORM names its directory; `compiler` is the
# command without these arguments.
#
# Libraries with an archive are linked statically, unless the archive needs what no library has. The others, such as
# those of Kerberos, must be on the system that the program runs on.

# Sets `linked`, the arguments with the archives of all libraries except those in `refused`.
linkStatically() {
  local arg directory file
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
    [[ -n ${refused[$file]:-} ]] || linked+=("$file")
  done
  linked+=('-Wl,--end-group' '-Wl,--as-needed' "${shared[@]}")
  # Archives may contain C++.
  [[ " ${compiler[*]} ${args[*]} " != *' --sysroot='*-sysroot-cxx-* ]] || linked+=(-lstdc++ -lm)
}

if [[ " ${args[*]} " != *' -shared '* && " ${args[*]} " != *' -c '* ]]; then
  link=$(dirname "${BASH_SOURCE[0]}")
  # These shared objects are not those of the system that the program will run on.
  args=("-L$link" '-Wl,--wrap=__libc_start_main' '-Wl,--allow-shlib-undefined' "${args[@]}")
  directories=() archives=() shared=()
  for arg in "${args[@]}"; do
    [[ $arg != -L/nix/store/?* ]] || directories+=("${arg#-L}")
  done
  for directory in "${directories[@]}"; do
    for file in "$directory"/lib*.a; do
      [[ ! -e $file || $directory = "$link" || -e ${file%/*}/libc.so.6 ]] || archives+=("$file")
    done
    for file in "$directory"/lib*.so.*; do
      # The C library and the compiler's libraries are replaced by others.
      name=${file##*/}
      [[ ! -f $file || -e $link/${name%%.so.*}.so ]] || shared+=("$file")
    done
  done
  declare -A refused=()
  linkStatically
  if ((${#archives[@]})); then
    # Each attempt refuses an archive, so there are no more attempts than archives.
    while ! "${compiler[@]}" "${linked[@]}" -Wl,--error-limit=0 2>"${TMPDIR:-/tmp}/link.$$"; do
      count=${#refused[@]}
      while read -r file; do refused[$file]=yes; done < <(
        sed -n '/undefined symbol/,/^$/s/.*in archive \(\/nix\/store\/.*[.]a\)$/\1/p' "${TMPDIR:-/tmp}/link.$$"
      )
      linkStatically
      ((${#refused[@]} > count)) || break
    done
    rm -f "${TMPDIR:-/tmp}/link.$$"
  fi
  args=("${linked[@]}")
fi
