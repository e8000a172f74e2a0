# Returns the environment variables, as an attribute set, that tell cargo and the crate cc which compilers to
# use: the build machine's for build scripts and proc macros, the target's for everything else.
{
  # the build machine's row of platforms.nix
  buildPlatform,
  # the target's row of platforms.nix
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
