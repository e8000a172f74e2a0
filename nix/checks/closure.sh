# Checks that the image has exactly the store paths of the program's closure, of the links at / (the graph `files`, if
# the image has any) and of its copied files (the graph `contents`), and nothing that only builds need.

graphs=(--closure closure)
for graph in files contents; do
  [[ ! -e $graph ]] || graphs+=(--closure "$graph")
done
slipway-verify "${graphs[@]}" "$image"

touch "$out"
