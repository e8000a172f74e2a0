# Checks that a program in Go and C is for its target's platform, and runs.

test "$($emulator "$program/bin/platform")" = "$expected"
# The loader and the libraries are those of the target.
llvm-readelf --dynamic "$program/bin/platform" | grep -q 'NEEDED.*libc.so.6'
llvm-readelf --file-header "$program/bin/platform" | grep -q 'Type: *DYN'
llvm-readelf --program-headers "$program/bin/platform" | grep -q GNU_RELRO

touch "$out"
