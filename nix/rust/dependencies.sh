# Compiles what the packages of a workspace, $members, depend on; of these themselves there are only
# stand-ins. That one of those does not compile, because another wants something of it, is no fault of the
# program: what is left out here is built with the program.

# Programs that the builds of crates run, as they say that they are missing, and what lib.targets has them by.
tools='cmake|is `cmake` not installed
bindgenHook|nable to find libclang
perl|perl.*\(No such file\|not found\)
protoc|not find `protoc`'

# The workspace's lints, of whatever setting, are for its sources and not for the stand-ins. cargo caps the
# lints of crates from outside by itself.
capLints() {
  local rustc
  rustc=$(command -v rustc)
  mkdir "$NIX_BUILD_TOP/bin"
  cat >"$NIX_BUILD_TOP/bin/rustc" <<END
#!$SHELL
[[ " \$members " != *" \$CARGO_PKG_NAME "* || " \$* " = *" --cap-lints"* ]] || set -- "\$@" --cap-lints allow
exec $rustc "\$@"
END
  chmod +x "$NIX_BUILD_TOP/bin/rustc"
  PATH=$NIX_BUILD_TOP/bin:$PATH
}

buildDependencies() {
  local tool words log=$NIX_BUILD_TOP/dependencies.log failed name member
  capLints
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
    while IFS='|' read -r tool words; do
      if grep -qE "(error|failed|panicked|unable|could not|cannot|executing|running|run|find).*\\<($words)\\>|\\<($words)\\>.*(not found|not installed|No such file|missing)" "$log"; then
        echo "error: the build of a crate runs ${words%%|*}; run: slipway add --build $tool, and let flake.nix say: nativeBuildInputs = target: [target.tools.$tool];" >&2
      fi
    done <<<"$packagedTools"
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
