# Returns a setup hook for build scripts that run bindgen. The hook sets the path of the build machine's
# libclang and, in environment variables, the target's include directories
# (https://github.com/rust-lang/rust-bindgen/blob/main/README.md#environment-variables).
{
  # derivation: static bash and busybox in bin/ (toolchain/bootstrap.nix)
  bootstrap,
  # derivation: the build machine's compiler (cxx.nix)
  buildCxx,
  # the build machine's row of platforms.nix
  buildPlatform,
  # Debian package libclang-common-19-dev, which has the headers of clang itself
  clang,
  # derivation: the target's compiler (cxx.nix)
  cxx,
  # attribute set: the Debian package libclang1-19 for the build machine
  debs,
  # the target's row of platforms.nix
  platform,
}: let
  inherit (builtins) concatMap listToAttrs replaceStrings;

  arguments = platform: cxx: inputs: {
    name = "BINDGEN_EXTRA_CLANG_ARGS_${replaceStrings ["-"] ["_"] platform.rust}";
    value = toString (
      ["--target=${platform.gnu}" "--sysroot=${cxx.sysroot}" "-resource-dir=${clang}/lib/llvm-19/lib/clang/19"]
      ++ concatMap (input: ["-isystem ${input}/include/${platform.gnu}" "-isystem ${input}/include"]) inputs
    );
  };
in
  # The hook needs no program of its own. An entry of nativeBuildInputs has to be a derivation.
  bootstrap
  // {
    hook = inputs:
    # listToAttrs uses the first of two entries with one name. The target comes first, since both entries
    # have one name if the target is the build machine.
      listToAttrs [(arguments platform cxx inputs) (arguments buildPlatform buildCxx [])]
      // {LIBCLANG_PATH = "${debs.libclang1-19}/lib/llvm-19/lib";};
  }
