# The image holds the program's closure and what its files at / lead to, all of it and nothing else, and that is
# free of what only builds need.

slipway-pack unpack --platform "$oci" "$image" root

[[ -e files ]] || touch files
cat closure files | grep '^/nix/store/[^/]*$' | grep -v -- '-image-files$' | sort -u >expected
(cd root && find nix/store -mindepth 1 -maxdepth 1 | sed 's|^|/|' | sort) >found
diff expected found

if grep -E -- '-dev([-_]|$)|-(autotools|bootstrap|cargo|cc|clang|cmake|cxx|gcc|lib(clang|llvm|std-rust)|lld|llvm|make|meson|ninja|pkg-config|rust|stdenv|sysroot)' found; then
  echo "these belong to the toolchain" >&2
  exit 1
fi
if find root -name '*.a' -o -name '*.h' -o -name '*.o' -o -name '*.pc' -o -name '*.rlib' | grep .; then
  echo "these are for compiling" >&2
  exit 1
fi

touch "$out"
