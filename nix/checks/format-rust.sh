# Checks that every Rust file is formatted.

find "$crates" -name '*.rs' -exec "$rust/bin/rustfmt" --edition 2024 --check {} +

touch "$out"
