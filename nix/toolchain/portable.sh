# Builder of portable.nix.

mkdir -p "$out" work
names="libc.so.6 libm.so.6 libpthread.so.0 libdl.so.2 librt.so.1 libutil.so.1 libanl.so.1 libresolv.so.2 $interpreter"
for name in $names; do
  echo "File: $name"
  $gnu-readelf --dyn-syms --wide "$libc/$name"
done >symbols
: >work/newer
awk -v version="$glibc" -v out=work -f "$sources/symbols.awk" "$sources/moved.txt" symbols
for name in $names; do
  [[ -e work/$name.s ]] || continue
  $gnu-cc -c "work/$name.s" -o "work/$name.o"
  $gnu-ld -shared -soname "$name" --version-script "work/$name.map" -o "$out/$name" "work/$name.o"
  ln -s "$name" "$out/${name%.so.*}.so"
done

for source in "$sources"/*.c; do
  object=${source##*/}
  $gnu-cc -O2 -fPIC -fno-builtin -ffunction-sections -c "$source" -o "work/${object%.c}.o"
done
$gnu-ar rcsD "$out/libcompat.a" work/{numbers,resolver,start,stat,strings,system,threads,unwind}.o

# The linker takes these for the shared objects that programs ask for.
rm "$out/libc.so"
echo "GROUP($out/libc.so.6 $out/libcompat.a -l:libc_nonshared.a AS_NEEDED($out/$interpreter $(
  for name in $names; do [[ ! -e $out/$name || $name = libc.so.6 || $name = "$interpreter" ]] || echo "$out/$name"; done
)))" >"$out/libc.so"
echo 'INPUT(-lgcc_eh)' >"$out/libgcc_s.so"
echo 'INPUT(-l:libstdc++.a)' >"$out/libstdc++.so"
sort work/newer >"$out/newer"
echo "$libraries" >"$out/libraries"
cp "$sources/link.sh" "$out/link"
cp "$sources/fixup.sh" "$out/fixup"
