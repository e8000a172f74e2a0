# Makes an OCI image layout with the content of index.json in `index` and with links to the files in `blobs`, whose names
# are their hashes.
# shellcheck shell=bash
mkdir -p "$out/blobs/sha256"
echo '{"imageLayoutVersion":"1.0.0"}' >"$out/oci-layout"
echo "$index" >"$out/index.json"
for blob in $blobs; do
  ln -s "$blob" "$out/blobs/sha256/${blob##*-}"
done
