# Compiles what the packages of a workspace, $members, depend on; of these themselves there are only
# stand-ins. That one of those does not compile, because another wants something of it, is no fault of the
# program: what is left out here is built with the program.

# Programs that the builds of crates run, as they say that they are missing, and what lib.targets has them by.
tools='cmake|is `cmake` not installed
bindgenHook|nable to find libclang
perl|perl.*\(No such file\|not found\)
protoc|not find `protoc`'

buildDependencies() {
  local tool words log=$NIX_BUILD_TOP/dependencies.log failed name member
  if ! (
    set -o pipefail
    cargo "$@" --frozen --keep-going -j "$NIX_BUILD_CORES" 2>&1 | tee "$log"
  ); then
    failed=$(sed -n 's/^error: could not compile `\([^`]*\)`.*/\1/p
      s/^error: failed to run custom build command for `\([^` ]*\).*/\1/p' "$log")
    # Where crates that do not need it went on, an error is far from the end of the log.
    sed -n '/^error/,/^ *Compiling \|^warning: build failed/p' "$log" | grep -v '^ *Compiling ' | tail -n 16 >&2
    if grep -q '^error: rustc .* is not supported' "$log"; then
      echo 'error: a crate asks for a newer Rust than the workspace does; let flake.nix say: rust = "rustc-web";' >&2
    fi
    while IFS='|' read -r tool words; do
      if grep -q "$words" "$log"; then
        echo "error: the build of a crate runs a program that is not there; let flake.nix say: nativeBuildInputs = target: [target.$tool];" >&2
      fi
    done <<<"$tools"
    [[ -n $failed ]] || return 1
    for name in $failed; do
      [[ " $members " = *" $name "* ]] || return 1
    done
  fi
  # the stand-ins must not be taken for the real ones
  for member in $members; do
    find target -path "*/.fingerprint/$member-????????????????" -prune -exec rm -rf {} +
  done
}
