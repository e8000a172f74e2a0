# Every program and library in the image is for its machine, has its loader and finds its libraries.

slipway-pack unpack --platform "$oci" "$image" root

count=0
for file in $(find root -type f); do
  IFS= LC_ALL=C read -r -d '' -n 4 magic <"$file" || true
  [[ $magic = $'\x7fELF' ]] || continue
  count=$((count + 1))

  machine=$(llvm-readelf -h "$file" | sed -n 's/^ *Machine: *//p')
  if [[ $machine != "$elfMachine" ]]; then
    echo "$file is for $machine, not $elfMachine" >&2
    exit 1
  fi

  # The C library's parts keep what Debian gave them: whoever loads them has found it already.
  [[ $file != */*-libc6_* ]] || continue

  interpreter=$(llvm-readelf -l "$file" | sed -n 's/.*program interpreter: \(.*\)]/\1/p')
  if [[ -n $interpreter && ! -e root$interpreter ]]; then
    echo "$file wants the loader $interpreter, which is not in the image" >&2
    exit 1
  fi

  runpath=$(llvm-readelf -d "$file" | sed -n 's/.*(RUNPATH).*\[\(.*\)\]/\1/p')
  for needed in $(llvm-readelf -d "$file" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'); do
    found=
    for dir in ${runpath//:/ }; do
      [[ ! -e root$dir/$needed ]] || found=1
    done
    if [[ -z $found ]]; then
      echo "$file needs $needed, which its RUNPATH does not find: $runpath" >&2
      exit 1
    fi
  done
done
echo "$count ELF files"
((count > 10))

touch "$out"
