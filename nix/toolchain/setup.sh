# The build environment and its phases. A package replaces a phase with an attribute of the same name
# (buildPhase = "…"), or adds to it with preBuild, postBuild and so on.

PATH=
for dir in $nativeBuildInputs $initialPath; do
  PATH+=${PATH:+:}$dir/bin
done
export PATH

export CC=$gnu-cc AR=$gnu-ar LD=$gnu-ld NM=$gnu-nm OBJCOPY=$gnu-objcopy RANLIB=$gnu-ranlib
export READELF=$gnu-readelf STRIP=$gnu-strip PKG_CONFIG=$gnu-pkg-config CC_FOR_BUILD=$buildGnu-cc
# cargo and the crates cc and pkg-config look these up by target.
export PKG_CONFIG_ALLOW_CROSS=1
export SOURCE_DATE_EPOCH=1
# jemalloc compiles in the logarithm of the page size, and aborts on kernels with larger pages.
export JEMALLOC_SYS_WITH_LG_PAGE=${JEMALLOC_SYS_WITH_LG_PAGE:-$lgPageSize} je_cv_lg_page=${je_cv_lg_page:-$lgPageSize}
# There is no /bin/sh.
SHELL=$(command -v bash)
export SHELL CONFIG_SHELL=$SHELL

# If several inputs have a library of the same name, Debian's alternatives decide which one is used.
source "$stdenv/alternatives"
# Flags for the compiler wrapper, which adds those for the C library itself.
cflags='' ldflags='' pcPath=''
for dir in $(byPriority $buildInputs); do
  for include in "$dir/include/$gnu" "$dir/include"; do
    [[ ! -d $include ]] || cflags+=" -isystem $include"
  done
  for lib in "$dir/lib/$gnu" "$dir/lib"; do
    [[ ! -d $lib ]] || ldflags+=" -L$lib -Wl,-rpath,$lib"
  done
  for pkgconfig in "$dir/lib/$gnu/pkgconfig" "$dir/lib/pkgconfig" "$dir/share/pkgconfig"; do
    [[ ! -d $pkgconfig ]] || pcPath+=${pcPath:+:}$pkgconfig
  done
done
if [[ -n ${separateDebugInfo:-} ]]; then
  cflags+=' -g'
  # Debuggers find debug information by the build ID.
  ldflags+=' -Wl,--build-id=sha1'
  export CARGO_PROFILE_RELEASE_DEBUG=full CARGO_PROFILE_RELEASE_STRIP=none
fi
export "NIX_CFLAGS_COMPILE_$platformName=$cflags"
export "NIX_LDFLAGS_$platformName=$ldflags"
export "PKG_CONFIG_PATH_$platformName=$pcPath"
unset cflags ldflags pcPath dir include lib pkgconfig

export NIX_BUILD_CORES=${NIX_BUILD_CORES:-1}
[[ $NIX_BUILD_CORES != 0 ]] || NIX_BUILD_CORES=$(nproc)

unpackPhase() {
  if [[ -d $src ]]; then
    cp -r "$src" source
  else
    mkdir source
    case $src in
      *.crate | *.gz | *.tgz) tar -xzf "$src" -C source --strip-components=1 ;;
      *.xz) tar -xJf "$src" -C source --strip-components=1 ;;
      *) tar -xf "$src" -C source --strip-components=1 ;;
    esac
  fi
  chmod -R u+w source
  cd source
}

patchPhase() {
  local patch
  for patch in $patches; do
    echo "patch: ${patch##*/}"
    patch -p1 <"$patch"
  done
}

configurePhase() {
  [[ ! -x ./configure ]] || "$SHELL" ./configure --prefix="$out" $configureFlags
}

buildPhase() {
  make SHELL="$SHELL" -j"$NIX_BUILD_CORES" $makeFlags
}

checkPhase() {
  :
}

installPhase() {
  make SHELL="$SHELL" $makeFlags install
}

# Copies the debug information of a program or library to the output `debug`, where debuggers expect it.
copyDebugInfo() {
  local id
  id=$($READELF --notes "$1" | sed -n 's/^ *Build ID: //p')
  if [[ -z $id ]]; then
    echo "note: $1 has no build ID, so its debug information is dropped"
    return
  fi
  local directory=$debug/lib/debug/.build-id/${id:0:2}
  mkdir -p "$directory"
  $OBJCOPY --only-keep-debug --compress-debug-sections=zlib "$1" "$directory/${id:2}.debug"
}

# Removes debug information, and directories of RUNPATH that have no needed library. The remaining references make
# the runtime closure.
fixupPhase() {
  local output file magic
  for output in $outputs; do
    [[ $output != debug ]] || continue
    find "${!output}" -type f | while read -r file; do
      IFS= LC_ALL=C read -r -d '' -n 4 magic <"$file" || true
      [[ $magic = $'\x7fELF' ]] || continue
      chmod u+w "$file"
      [[ -z ${separateDebugInfo:-} ]] || copyDebugInfo "$file"
      $STRIP --strip-unneeded "$file"
      ! patchelf --print-rpath "$file" >/dev/null 2>&1 || patchelf --shrink-rpath "$file"
    done
  done
}

# Runs $1Phase between preX and postX, where X is $1 with a capital.
runPhase() {
  local capital=${1^} phase=$1Phase
  local pre=pre$capital post=post$capital
  echo "phase: $1"
  eval "${!pre:-}"
  # An attribute with the phase's name arrives as a variable, and replaces the function.
  if [[ -n ${!phase:-} ]]; then eval "${!phase}"; else "$phase"; fi
  eval "${!post:-}"
}

genericBuild() {
  local phase
  for phase in ${phases:-unpack patch configure build check install fixup}; do
    runPhase "$phase"
  done
  # Also builds without a program must have this output.
  [[ -z ${separateDebugInfo:-} ]] || mkdir -p "$debug"
}
