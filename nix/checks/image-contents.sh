# The image has the files, users, packages and configuration that it was asked for.

fail() {
  echo "$image: $*" >&2
  exit 1
}

slipway-verify "$image"
slipway-verify --closure closure --closure files --closure contents "$image"

slipway-pack unpack --platform "$oci" "$image" root
[[ $(<root/srv/site/pages/index.html) = hello ]] || fail "the tree is missing"
[[ -e root$font && ! -e root$site ]] || fail "only what a copy refers to should be in the store"
[[ -x root$(readlink root/usr/bin/migrate) ]] || fail "the program of a package is missing"
grep -q '^app:x:1000:1000:' root/etc/passwd || fail "/etc/passwd has no user app"
grep -q '^own$' root/etc/ssl/certs/ca-certificates.crt || fail "the certificate is missing"
(($(grep -c 'BEGIN CERTIFICATE' root/etc/ssl/certs/ca-certificates.crt) > 100)) || fail "Debian's certificates are missing"
grep -q '^hosts: files dns$' root/etc/nsswitch.conf || fail "/etc/nsswitch.conf is missing"
[[ $(readlink root/etc/ssl/cert.pem) = /etc/ssl/certs/ca-certificates.crt ]] || fail "/etc/ssl/cert.pem is missing"

# the layer of the files
for blob in "$image"/blobs/sha256/*; do
  tar -tvzf "$blob" >listed 2>/dev/null || continue
  ! grep -q 'etc/app.conf$' listed || break
done
for line in \
  '-rw-r----- 0/1000 .* etc/app.conf' \
  'drwxr-xr-x 0/0 .* srv/site/pages/' \
  '-rw-r--r-- 0/0 .* srv/site/pages/index.html' \
  '-rwxr-xr-x 0/0 .* srv/site/bin/update' \
  'drwxr-xr-x 1000/1000 .* var/lib/app/'; do
  grep -Eq -- "^$line$" listed || fail "no $line in: $(<listed)"
done
[[ -e $other/blobs/sha256/${blob##*/} ]] || fail "another program changes the layer of the files"

config=$(grep -l '"rootfs"' "$image"/blobs/sha256/* | head -n 1)
for words in "\"Entrypoint\":\[\"$package/bin/serve\",\"--verbose\"\]" '"Cmd":\["--port","80"\]' '"User":"app"' \
  '"Volumes":{"/var/lib/app":{}}' '"StopSignal":"SIGINT"' \
  "\"Healthcheck\":{\"Test\":\[\"CMD\",\"$package/bin/serve\",\"--check\"\],\"Interval\":10000000000}"; do
  grep -q "$words" "$config" || fail "its config lacks $words"
done
! grep -q 0123456789abcdef "$config" || fail "the commit is in the config"
manifest=$(grep -l '"layers":\[{' "$image"/blobs/sha256/* | head -n 1)
for words in '"org.opencontainers.image.created":"2024-02-29T12:34:56Z"' \
  '"org.opencontainers.image.revision":"0123456789abcdef0123456789abcdef01234567"' \
  '"org.opencontainers.image.title":"serve"'; do
  grep -q "$words" "$manifest" || fail "its manifest lacks $words"
done

touch "$out"
