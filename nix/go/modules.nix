# Returns a derivation that the go command can use as its module cache, GOMODCACHE
# (https://go.dev/ref/mod#module-cache). It has links to the seeds.
{
  # derivation: the static bash executable
  bash,
  # derivation: static bash and busybox in bin/ (toolchain/bootstrap.nix)
  bootstrap,
  # derivation: the Go toolchain, with which `slipway seed` downloads modules
  go,
  # attribute set: `go` of slipway.lock
  locked,
  # string: prefix of the derivation's name
  name,
  # attribute set: the functions of seeds.nix
  seeds,
  # string: system of the build machine, such as "x86_64-linux"
  system,
}: let
  inherit (builtins) concatStringsSep map replaceStrings;
  concatStrings = concatStringsSep "";

  # The module cache writes an upper-case letter as an exclamation mark and the lower-case letter.
  upper = ["A" "B" "C" "D" "E" "F" "G" "H" "I" "J" "K" "L" "M" "N" "O" "P" "Q" "R" "S" "T" "U" "V" "W" "X" "Y" "Z"];
  lower = ["!a" "!b" "!c" "!d" "!e" "!f" "!g" "!h" "!i" "!j" "!k" "!l" "!m" "!n" "!o" "!p" "!q" "!r" "!s" "!t" "!u" "!v" "!w" "!x" "!y" "!z"];
  escape = replaceStrings upper lower;
  entry = pin: "${escape pin.path}|${escape pin.version}|${pin.path}";
in
  derivation {
    inherit system;
    PATH = "${bootstrap}/bin";
    name = "${name}-modules";
    args = ["-e" ./modules.sh];
    builder = "${bootstrap}/bin/bash";
    # lines: ESCAPED PATH|ESCAPED VERSION|PATH|H1|FILES
    modules = concatStrings (map (pin: "${entry pin}|${pin.h1}|${seeds.goModule {
        inherit bash pin;
        client = go;
      }}\n")
      locked.module or []);
    # lines: ESCAPED PATH|ESCAPED VERSION|PATH|FILE
    modFiles = concatStrings (map (pin: "${entry pin}|${seeds.goModFile {
        inherit bash pin;
        client = go;
      }}\n")
      locked.mod-file or []);
    passAsFile = ["modules" "modFiles"];
  }
