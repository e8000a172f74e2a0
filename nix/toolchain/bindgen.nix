# What a crate's build script needs to run bindgen: libclang for the build machine, and by
# environment variables the headers of the target
# (https://github.com/rust-lang/rust-bindgen/blob/main/README.md#environment-variables).
{
  bootstrap,
  # the compilers of the build machine and for the target
  buildCxx,
  buildPlatform,
  # the package of the compiler's own headers
  clang,
  cxx,
  debs,
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
  # there is no program in it
  bootstrap
  // {
    hook = inputs:
    # of two the first counts, where the target is the build machine
      listToAttrs [(arguments platform cxx inputs) (arguments buildPlatform buildCxx [])]
      // {LIBCLANG_PATH = "${debs.libclang1-19}/lib/llvm-19/lib";};
  }
