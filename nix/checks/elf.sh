# Checks that every program and library in the image is for its machine, and finds its loader, libraries and symbols.

slipway-verify "$image"

touch "$out"
