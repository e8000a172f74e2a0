# Checks that every Nix file is formatted.

"$formatter/bin/nix-format" --check $files

touch "$out"
