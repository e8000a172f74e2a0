# Checks that a program has no debug information, and that its output `debug` has it under the program's build ID.

fail() {
  echo "error: $*" >&2
  exit 1
}

file=$(echo "$program"/bin/*)
! llvm-readelf --sections "$file" | grep '[.]debug_' || fail "$file has debug information"
id=$(llvm-readelf --notes "$file" | sed -n 's/^ *Build ID: //p')
information=$debug/lib/debug/.build-id/${id:0:2}/${id:2}.debug
[[ -f $information ]] || fail "no debug information for the build ID $id, but: $(find "$debug" -type f)"

set -- $functions
while [[ $# != 0 ]]; do
  address=$(llvm-nm --demangle "$information" | sed -n "s/^\([0-9a-f]*\) [tT] $1\(::h[0-9a-f]*\)\{0,1\}$/0x\1/p" | head -n 1)
  [[ -n $address ]] || fail "no function $1"
  found=$(llvm-dwarfdump --lookup "$address" "$information" | sed -n 's/^Line info: //p')
  [[ $found = "file '"*"$2', line "[1-9]* ]] || fail "$1 is not in $2 but here: $found"
  shift 2
done

touch "$out"
