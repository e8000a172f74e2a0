# Checks that the image is for the package's platform and runs its main program.

slipway-pack unpack --platform "$oci" "$image" root
[[ -x root$package/bin/greet ]]
[[ $(find root/nix/store -mindepth 1 -maxdepth 1) = root$package ]]
grep -q "\"Entrypoint\":\[\"$package/bin/greet\"\]" "$image"/blobs/sha256/*

touch "$out"
