# A program of the build machine that runs commands by /bin/sh, which the sandbox does not have: a copy
# that runs them by the shell that is there.
{
  bootstrap,
  # the C compiler for the build machine
  cc,
  patchelf,
  platform,
  system,
}: {
  package,
  program,
}: let
  shell = derivation {
    inherit system;
    PATH = "${cc}/bin:${bootstrap}/bin";
    name = "shell.so";
    args = ["-c" ''${platform.gnu}-cc -O2 -shared -fPIC -nostdlib -DSHELL='"${bootstrap}/bin/bash"' ${./shell.c} -o "$out"''];
    builder = "${bootstrap}/bin/bash";
  };
in
  derivation {
    inherit system;
    PATH = "${patchelf}/bin:${bootstrap}/bin";
    name = program;
    args = [
      "-e"
      "-c"
      ''
        mkdir -p "$out/bin"
        cp ${package}/bin/${program} "$out/bin"
        chmod u+w "$out/bin/${program}"
        patchelf --add-needed ${shell} "$out/bin/${program}"
      ''
    ];
    builder = "${bootstrap}/bin/bash";
  }
