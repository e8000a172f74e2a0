# A shell and the Unix tools, from two static programs: all that runs in an empty sandbox.
{
  bash,
  busybox,
  system,
}:
derivation {
  inherit bash busybox system;
  name = "bootstrap";
  args = [
    "-c"
    ''
      # busybox is the applet whose name it is called by
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
