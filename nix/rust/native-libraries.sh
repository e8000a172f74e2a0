# Reports, before anything is compiled, which crates need a Debian package that slipway.lock does not have.
# $lacking has lines CRATE|FEATURES|PACKAGES. With one of the features, the crate compiles its own copy.

checkNativeLibraries() {
  local crate features packages used feature own failed=
  [[ -s $lacking ]] || return 0
  cargo tree --frozen --target "$CARGO_BUILD_TARGET" --edges normal,build --prefix none --format '{p}|{f}' "$@" >crates
  while IFS='|' read -r crate features packages; do
    used=$(grep -m 1 "^$crate v" crates) || continue
    own=
    for feature in ${features//,/ }; do
      [[ ,${used##*|}, != *,$feature,* ]] || own=1
    done
    [[ -z $own ]] || continue
    if [[ -n $debianArchitecture ]]; then
      echo "error: the crate $crate needs $packages ($debianArchitecture), which slipway.lock does not have; run: slipway add $packages" >&2
    elif [[ -n $features ]]; then
      echo "error: the crate $crate needs a C library that Debian does not have for $CARGO_BUILD_TARGET; enable its feature ${features//,/ or }, with which it compiles the library itself" >&2
    else
      echo "error: the crate $crate needs a C library that Debian does not have for $CARGO_BUILD_TARGET" >&2
    fi
    failed=1
  done <"$lacking"
  rm crates
  [[ -z $failed ]]
}
