# The variables by which cargo, and the crates that build C, find the compilers: those of the build
# machine for build scripts and macros, those of the target for the rest.
{
  buildPlatform,
  platform,
}: let
  inherit (builtins) filter isString replaceStrings split;

  lettersOf = text: filter (letter: isString letter && letter != "") (split "" text);
  letters = lettersOf "abcdefghijklmnopqrstuvwxyz";
  capitals = lettersOf "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
  underscored = replaceStrings ["-"] ["_"];
  upper = name: replaceStrings letters capitals (underscored name);

  variables = {
    gnu,
    rust,
    ...
  }: {
    "AR_${underscored rust}" = "${gnu}-ar";
    "CARGO_TARGET_${upper rust}_LINKER" = "${gnu}-cc";
    "CC_${underscored rust}" = "${gnu}-cc";
  };
in
  variables buildPlatform // variables platform // {CARGO_BUILD_TARGET = platform.rust;}
