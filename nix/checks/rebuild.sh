# Built twice from the same sources, the files are the same, byte for byte.

set -- $first
for again in $second; do
  diff -r "$1" "$again" && echo "$1 and $again are the same"
  shift
done

touch "$out"
