# A program of Go and C runs, and has the platform of its target.

test "$($emulator "$program/bin/platform")" = "$expected"
# the loader and the libraries are those of the target
llvm-readelf --dynamic "$program/bin/platform" | grep -q 'NEEDED.*libc.so.6'
llvm-readelf --file-header "$program/bin/platform" | grep -q 'Type: *DYN'
llvm-readelf --program-headers "$program/bin/platform" | grep -q GNU_RELRO

touch "$out"
