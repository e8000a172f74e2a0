# What the benchmarks of whole commands share. A benchmark sources this file in the repository's root, after it has set
# `runs`, the number of measurements of each command.
# shellcheck shell=bash

export NIX_CONFIG="${NIX_CONFIG:-}
experimental-features = nix-command flakes
max-jobs = auto
sandbox = true
substitute = false"

here=$PWD
slipway=$PWD/target/driver/slipway
[[ -x $slipway ]] || {
  echo "error: target/driver/slipway does not exist; run: make" >&2
  exit 1
}

work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT

# Appends to the file $1 how many seconds the command of the other arguments takes. If it fails, prints its output.
measure() {
  local file=$work/$1 TIMEFORMAT=%R
  shift
  { time "$@" >"$work/log" 2>&1; } 2>>"$file" || {
    cat "$work/log" >&2
    return 1
  }
}

median() {
  sort -n "$work/$1" | sed -n "$(((runs + 1) / 2))p"
}

# Prints the median of the file $2, and its ratio to that of the file $3 if there is one.
row() {
  local ratio=
  [[ $# = 2 ]] || ratio=$(awk "BEGIN { printf \"%8.2f\", $(median "$2") / $(median "$3") }")
  printf '%-62s %7.2f s%s\n' "$1" "$(median "$2")" "$ratio"
}

# Begins a git repository in the current directory, with a flake that `slipway init` writes.
init() {
  git init --quiet
  git add --all
  "$slipway" init --force --slipway "git+file://$here" "$@" >/dev/null
  git add --all
}
