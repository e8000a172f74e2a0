# Lays Debian packages out as on a Debian system, with a shell and Unix tools, certificates and settings.

mkdir "$out"
for deb in $packages; do dpkg-deb -x "$deb" "$out"; done
cd "$out"
for directory in bin lib lib64 sbin; do
  mkdir -p "usr/$directory"
  ln -sT "usr/$directory" "$directory"
done

rm -rf usr/share/{bug,lintian,locale,man}
find usr/share/doc ! -type d ! -name copyright -exec rm -f {} +
find usr/share/doc -depth -type d -exec rmdir {} + 2>/dev/null || true

# Debian's Nix has this shell as /bin/sh in its sandbox.
cp "$bash" usr/bin/bash-static
for shell in bash sh; do ln -s bash-static "usr/bin/$shell"; done
cp "$busybox" usr/bin/busybox
for tool in "$bootstrap"/bin/*; do
  tool=usr/bin/${tool##*/}
  [[ -e $tool || -L $tool ]] || ln -s busybox "$tool"
done

mkdir -p etc/nix etc/ssl/certs root tmp usr/local/bin var/tmp
cat "$certificates"/*.crt >etc/ssl/certs/ca-certificates.crt
echo 'root:x:0:0:root:/root:/bin/bash' >etc/passwd
echo 'root:x:0:' >etc/group

# There are no users for builds and no daemon. Containers that may not make namespaces have no sandbox.
cat >etc/nix/nix.conf <<'END'
build-users-group =
experimental-features = nix-command flakes
max-jobs = auto
sandbox = true
sandbox-fallback = true
END

# A container has one user, and the files of the project are often another one's.
cat >etc/gitconfig <<'END'
[safe]
	directory = *
END
