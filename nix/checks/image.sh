# Checks the image's files, configuration and size.

fail() {
  echo "$image: $*" >&2
  exit 1
}

slipway-pack unpack --platform "$oci" "$image" root

[[ -x root$entrypoint ]] || fail "the entrypoint $entrypoint is not there"
grep -q '^nonroot:x:65532:65532:' root/etc/passwd || fail "/etc/passwd has no user 65532"
(($(grep -c 'BEGIN CERTIFICATE' root/etc/ssl/certs/ca-certificates.crt) > 100)) || fail "certificates are missing"
[[ -d root/tmp ]] || fail "/tmp is missing"
[[ -z $(find root -type f -perm +6000) ]] || fail "files are setuid or setgid"
[[ -z $(find root -type f -perm -o+w) ]] || fail "files are world-writable"

# The configuration is the only such blob.
config=$(grep -l '"rootfs"' "$image"/blobs/sha256/* | head -n 1)
IFS=/ read -r os architecture variant <<<"$oci"
for words in "\"os\":\"$os\"" "\"architecture\":\"$architecture\"" ${variant:+"\"variant\":\"$variant\""} \
  '"User":"65532:65532"' "\"Entrypoint\":\[\"$entrypoint\"\]" \
  '"org.opencontainers.image.source":' '"org.opencontainers.image.revision":' '"org.opencontainers.image.version":'; do
  grep -q "$words" "$config" || fail "its config lacks $words"
done

size=$(cat "$image"/blobs/sha256/* | wc -c)
((size < 8000000)) || fail "$size bytes compressed are too many; the limit is 8,000,000"

touch "$out"
