# Returns a function to a derivation with links to the tools of debug images: strace and the applets of busybox, sh
# among them, in /usr/local/bin. The image has the links below /.
{
  # derivation: static bash and busybox in bin/ (toolchain/bootstrap.nix)
  bootstrap,
  # string: system of the build machine, such as "x86_64-linux"
  system,
}: {
  # derivations: Debian packages for the image's platform
  busybox,
  strace,
  # bool: whether to add /bin/sh
  shell,
}:
derivation {
  inherit busybox shell strace system;
  name = "debug-files";
  PATH = "${bootstrap}/bin";
  args = ["-e" ./debug-files.sh];
  builder = "${bootstrap}/bin/bash";
}
