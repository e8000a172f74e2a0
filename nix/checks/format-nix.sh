# Every Nix file is formatted.

"$formatter/bin/nix-format" --check $files

touch "$out"
