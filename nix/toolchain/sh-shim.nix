# Returns a function. It copies a program that runs commands with /bin/sh, which the sandbox does not have,
# and makes the copy use the shell of `bootstrap`. The function returns a derivation with bin/PROGRAM.
{
  # derivation: static bash and busybox in bin/ (toolchain/bootstrap.nix)
  bootstrap,
  # derivation: the build machine's C compiler (cc.nix)
  cc,
  # derivation: toolchain/patchelf.nix
  patchelf,
  # the build machine's row of platforms.nix
  platform,
  # string: system of the build machine, such as "x86_64-linux"
  system,
}: {
  # Debian package that has the program
  package,
  # string: the program's name in bin/
  program,
}: let
  shell = derivation {
    inherit system;
    PATH = "${cc}/bin:${bootstrap}/bin";
    name = "shell.so";
    args = ["-c" ''${platform.gnu}-cc -O2 -shared -fPIC -nostdlib -DSHELL='"${bootstrap}/bin/bash"' ${./sh-shim.c} -o "$out"''];
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
