# Checks that a program of a release file needs nothing but the system, and prints what is expected. The output has
# the program and the expected text.
set -o pipefail

mkdir "$out"
cd "$out"
program=$name
if [[ -d $package/lib/$name ]]; then
  program=bin/$name
  mkdir bin lib
  cp -r "$package/lib/$name" lib
fi
cp "$package"/bin/* "$(dirname "$program")"
[[ -z $expected ]] || cp "$expected" expected
[[ -z $library ]] || cp "$library"/bin/* .

if grep -rl /nix/store/ .; then
  echo 'a program refers to the store' >&2
  exit 1
fi

# Prints the values of a tag in the dynamic section.
dynamic() {
  llvm-readelf --dynamic-table "$2" | sed -n "s/.*($1).*\[\(.*\)\]/\1/p"
}

case $os in
  linux)
    run=("./$program")
    if [[ -n ${loader:-} ]]; then
      # The system has only the C library. The other libraries are beside the program.
      llvm-readelf --program-headers "$program" | grep -qF "[Requesting program interpreter: $loader]"
      dynamic RUNPATH "$program" | diff - <(echo "\$ORIGIN/../lib/$name")
      for file in "$program" "lib/$name"/*; do
        dynamic NEEDED "$file"
      done | grep -vxF "$interpreter" | sort -u | diff - <(printf '%s\n' libc.so.6 "$(ls "lib/$name")" | sort)
      run=("$libc/$interpreter" --library-path "$libc" "./$program")
    elif llvm-readelf --program-headers "$program" | grep -q INTERP; then
      echo "$program is not static" >&2
      exit 1
    fi
    $emulator "${run[@]}" </dev/null | diff expected -
    ;;
  darwin)
    llvm-readobj --needed-libs "$name" | sed -n '/^NeededLibraries/,/^]/s/^  //p' | diff - <(
      printf '%s\n' ${neededLibraries:-/usr/lib/libSystem.B.dylib /usr/lib/libiconv.2.dylib}
    )
    [[ -z ${undefined:-} ]] || llvm-nm --format=darwin --undefined-only "$name" | grep -F "$undefined"
    llvm-readobj --macho-version-min "$name" | grep -q 'Version: 11.0'
    # The magic number of an embedded signature, which only arm64 requires.
    [[ $machine != arm64 ]] || LC_ALL=C grep -q $'\xfa\xde\x0c\xc0' "$name"
    ;;
  freebsd)
    declare -A machines=([amd64]='X86-64' [arm64]=AArch64)
    llvm-readelf --file-header --program-headers "$name" >headers
    grep -q 'OS/ABI: *UNIX - FreeBSD$' headers
    grep -q "Machine: .*${machines[$machine]}\$" headers
    if grep -q INTERP headers; then
      echo "$name is not static" >&2
      exit 1
    fi
    rm headers
    ;;
  wasip1)
    obj2yaml "$name.wasm" | sed -n 's/^ *- Module: *//p' | sort -u | diff - <(echo wasi_snapshot_preview1)
    $emulator "$name.wasm" </dev/null | diff expected -
    ;;
  # The end-to-end tests run the program.
  windows)
    libraries=$(llvm-readobj --coff-imports "$name.exe" | sed -n 's/^  Name: //p' | tr A-Z a-z | sort -u)
    for library in $libraries; do
      case $library in
        advapi32.dll | api-ms-win-core-*.dll | bcryptprimitives.dll | kernel32.dll | msvcrt.dll | ntdll.dll | userenv.dll | ws2_32.dll) ;;
        *)
          echo "$name.exe needs $library" >&2
          exit 1
          ;;
      esac
    done
    ;;
esac
