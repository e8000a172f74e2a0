# Compiles the dependencies of a workspace's packages, $members. The packages themselves are stand-ins without
# code. A stand-in may fail to compile because another package needs something from it. That is not an error:
# whatever is not compiled here is compiled with the program.

# Programs that build scripts run: how an error names a missing one, and its attribute in lib.targets.
tools='cmake|is `cmake` not installed
bindgenHook|nable to find libclang
perl|perl.*\(No such file\|not found\)
protoc|not find `protoc`'

# The workspace's lints are for its sources, not for the stand-ins. cargo itself caps the lints of other crates.
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
    # Other crates may have been compiled after the error, so it may be far from the end of the log.
    sed -n '/^error/,/^ *Compiling \|^warning: build failed/p' "$log" | grep -v '^ *Compiling ' | tail -n 16 >&2
    if grep -q '^error: rustc .* is not supported' "$log"; then
      echo 'error: a crate needs a newer Rust than the workspace; set rust = "rustc-web" in flake.nix' >&2
    fi
    while IFS='|' read -r tool words; do
      if grep -q "$words" "$log"; then
        echo "error: a build script needs a program that is missing; set nativeBuildInputs = target: [target.$tool] in flake.nix" >&2
      fi
    done <<<"$tools"
    while IFS='|' read -r tool words; do
      if grep -qE "(error|failed|panicked|unable|could not|cannot|executing|running|run|find).*\\<($words)\\>|\\<($words)\\>.*(not found|not installed|No such file|missing)" "$log"; then
        echo "error: a build script needs ${words%%|*}; run: slipway add --build $tool, and set nativeBuildInputs = target: [target.tools.$tool] in flake.nix" >&2
      fi
    done <<<"$packagedTools"
    [[ -n $failed ]] || return 1
    for name in $failed; do
      [[ " $members " = *" $name "* ]] || return 1
    done
  fi
  # Cargo must not take the stand-ins for the real packages.
  for member in $members; do
    find target -path "*/.fingerprint/$member-????????????????" -prune -exec rm -rf {} +
  done
}
