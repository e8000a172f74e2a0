# Checks that the image has exactly the store paths of the program's closure and of the links at / (the graph
# `files`, if the image has any), and nothing that only builds need.

graphs=(--closure closure)
[[ ! -e files ]] || graphs+=(--closure files)
slipway-verify "${graphs[@]}" "$image"

touch "$out"
