# Makes the files at / that every program expects: certificates, users, a directory for temporary files.

mkdir -p "$out/etc/ssl/certs" "$out/tmp"

cat "$certificates"/*.crt >"$out/etc/ssl/certs/ca-certificates.crt"

cat >"$out/etc/passwd" <<EOF
root:x:0:0:root:/:/sbin/nologin
nonroot:x:65532:65532:nonroot:/:/sbin/nologin
EOF

cat >"$out/etc/group" <<EOF
root:x:0:
nonroot:x:65532:
EOF
