# Returns a derivation with bash and the Unix tools in bin/. Both programs are static, because an empty
# sandbox has no loader and no libraries.
{
  # derivation: the static bash executable
  bash,
  # derivation: the static busybox executable
  busybox,
  # string: system of the build machine, such as "x86_64-linux"
  system,
}:
derivation {
  inherit bash busybox system;
  name = "bootstrap";
  args = [
    "-c"
    ''
      # busybox acts as the applet whose name it is called by.
      (exec -a mkdir "$busybox" -p "$out/bin")
      cd "$out/bin"
      for applet in $(exec -a busybox "$busybox" --list); do
        [[ $applet = */* ]] || (exec -a ln "$busybox" -s "$busybox" "$applet")
      done
      for shell in bash sh; do (exec -a ln "$busybox" -sf "$bash" "$shell"); done
    ''
  ];
  builder = "${bash}";
}
