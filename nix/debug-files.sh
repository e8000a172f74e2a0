# Links the tools of debug images: see debug-files.nix.
# shellcheck shell=bash
mkdir -p "$out/usr/local/bin"
cd "$out/usr/local/bin"
# The busybox of the build machine is the same version.
for applet in $(busybox --list); do
  [[ $applet = */* ]] || ln -s "$busybox/bin/busybox" "$applet"
done
ln -sf "$strace/bin/strace" strace
if [[ $shell ]]; then
  mkdir "$out/bin"
  ln -s "$busybox/bin/busybox" "$out/bin/sh"
fi
