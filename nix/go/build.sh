# Phases of build-go.nix. $imports are the packages of other modules and of the standard library that the
# modules import, $packages are the programs.

export GOCACHE=$NIX_BUILD_TOP/go-cache HOME=$NIX_BUILD_TOP

# Compiles $imports into the build cache.
buildDependencies() {
  local found
  # Leave out packages without files for this platform or these tags. runtime/cgo is linked without an import.
  [[ $CGO_ENABLED = 0 ]] || imports+=' runtime/cgo'
  found=$(go list -e -find -f '{{if not .Error}}{{.ImportPath}}{{end}}' $imports)
  # What does not compile here is compiled, or reported, with the programs.
  # shellcheck disable=SC2086
  [[ -z $found ]] || go build -p "$NIX_BUILD_CORES" $found || echo 'warning: some dependencies do not compile' >&2
  # An entry of the cache ends with the time at which it was made, in 20 columns.
  mkdir -p "$GOCACHE"
  find "$GOCACHE" -name '*-a' -exec sed -i 's/....................$/                   1/' {} +
  rm -f "$GOCACHE"/{README,trim.txt,testexpire.txt}
}

# Puts a build cache from $1 in place. The links save copies.
useDependencies() {
  cp -rs "$1" "$GOCACHE"
  chmod -R u+w "$GOCACHE"
  # The cache is not old.
  date +%s >"$GOCACHE/trim.txt"
}

# Runs a command of go, and says after known errors what to do.
runGo() {
  local log=$NIX_BUILD_TOP/go.log
  if ! (
    set -o pipefail
    go "$@" 2>&1 | tee "$log"
  ); then
    if grep -q 'missing go.sum entry\|updates to go.mod needed\|no required module provides package' "$log"; then
      echo 'error: go.mod or go.sum lacks a module; run: go mod tidy, and: slipway lock' >&2
    elif grep -q 'GOPROXY=off\|ziphash file is missing' "$log"; then
      echo 'error: slipway.lock lacks a module of go.mod; run: slipway lock' >&2
    elif grep -q 'build constraints exclude all Go files' "$log" && [[ $CGO_ENABLED = 0 ]]; then
      echo 'error: a package is only for cgo, which slipway.lock does not know of; run: slipway lock' >&2
    elif grep -q 'Package .* was not found in the pkg-config search path\|^Package .*, required by .*, not found' "$log"; then
      sed -n "s/^Package '\\{0,1\\}\\([^', ]*\\)'\\{0,1\\}.*not found.*/error: no pinned package has \\1.pc; run: slipway add pkg-config:\\1/p
        s/^Package \\([^ ]*\\) was not found.*/error: no pinned package has \\1.pc; run: slipway add pkg-config:\\1/p" "$log" | sort -u >&2
    fi
    return 1
  fi
}

buildPrograms() {
  mkdir "$NIX_BUILD_TOP/bin"
  local program toolexec=()
  [[ -z $moduleVersion$revision ]] || toolexec=(-toolexec "bash -e $stamp")
  runGo build -p "$NIX_BUILD_CORES" "${toolexec[@]}" -ldflags "$linkFlags" -o "$NIX_BUILD_TOP/bin/" $packages
  # The go command gives modules of WebAssembly no ending.
  [[ $GOARCH != wasm ]] || for program in "$NIX_BUILD_TOP"/bin/*; do mv "$program" "$program.wasm"; done
}

testPackages() {
  local packages=./...
  [[ ! -e go.work ]] || packages=work
  runGo test -p "$NIX_BUILD_CORES" "$packages"
}
