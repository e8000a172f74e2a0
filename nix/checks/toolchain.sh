# Checks that compiled programs start: static programs need no other files, and every program runs on kernels with
# the largest pages.

mkdir static

cat >hello.c <<'END'
#include <stdio.h>
int main(void) { return puts("static") == EOF; }
END
cat >hello.cpp <<'END'
#include <iostream>
#include <stdexcept>
int main() {
    try {
        throw std::runtime_error("static");
    } catch (const std::exception &error) {
        std::cout << error.what() << '\n';
    }
}
END
cat >hello.rs <<'END'
fn main() {
    std::thread::spawn(|| println!("static")).join().unwrap();
}
END

$CC -static hello.c -o static/c
$CC -static-pie -fPIE hello.c -o static/c-pie
echo '-static' >options
$CC @options hello.c -o static/c-options
$CXX -static hello.cpp -o static/cpp
rustc --target "$rustTarget" -C linker="$CC" -C target-feature=+crt-static hello.rs -o static/rust

for program in static/*; do
  if $READELF --program-headers --dynamic "$program" | grep 'INTERP\|RPATH\|RUNPATH\|NEEDED'; then
    echo "error: $program is not static" >&2
    exit 1
  fi
  if grep -q /nix/store "$program"; then
    echo "error: $program refers to $(grep -ao '/nix/store/[^/]*' "$program" | head -n 1)" >&2
    exit 1
  fi
  [[ $($emulator "$program") = static ]] || {
    echo "error: $program does not run" >&2
    exit 1
  }
done

# If a project asks for a page size, the largest one that kernels have is used instead.
$CC -Wl,-z,max-page-size=4096 hello.c -o small-pages
for alignment in $($READELF --program-headers --wide small-pages | sed -n 's/^ *LOAD .* //p'); do
  if ((alignment < pageSize)); then
    echo "error: a segment is aligned to $alignment" >&2
    exit 1
  fi
done

if ((1 << JEMALLOC_SYS_WITH_LG_PAGE != pageSize || 1 << je_cv_lg_page != pageSize)); then
  echo "error: jemalloc is built for pages of another size than $pageSize bytes" >&2
  exit 1
fi

touch "$out"
