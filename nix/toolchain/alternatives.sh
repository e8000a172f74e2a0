# Debian's alternatives: several packages have a file of one name, and the one with the highest priority wins.
# Packages declare their alternatives in the maintainer script that runs after they are installed, by calls of
# update-alternatives(1).

# Prints LINK, PATH and PRIORITY, between tabs, of each alternative that the maintainer script $1 declares.
# A restricted shell reads the script. It evaluates variables and loops, but runs no program and writes no file.
declaredAlternatives() {
  [[ -f $1 ]] && grep -q 'update-alternatives.*--install\|--install.*update-alternatives' <(tr '\n' ' ' <"$1") || return 0
  [[ $(head -n 1 "$1") = '#!'*/@(sh|bash|dash)* ]] || return 0
  # Output to the terminal would be refused as writing.
  sed -E 's|[0-9]*>+ *(/dev/null\|&[0-9])||g; /^[[:space:]]*set -[a-z]+[[:space:]]*$/d' "$1" >"$NIX_BUILD_TOP/script"
  (
    cd "$NIX_BUILD_TOP"
    command_not_found_handle() { :; }
    update-alternatives() {
      local priority
      while [[ $# != 0 ]]; do
        case $1 in
          --install)
            priority=$5
            printf 'alternative\t%s\t%s\t%s\n' "$2" "$4" "$priority"
            shift 5
            ;;
          --slave)
            printf 'alternative\t%s\t%s\t%s\n' "$2" "$4" "$priority"
            shift 4
            ;;
          *) shift ;;
        esac
      done
    }
    function /usr/bin/update-alternatives { update-alternatives "$@"; }
    dpkg() { echo "$debianArchitecture"; }
    dpkg-architecture() { echo "$gnu"; }
    set +e
    PATH=
    set -r
    source script configure
  ) </dev/null 2>/dev/null | sed -n 's/^alternative\t//p'
}

# Makes in the current directory, $out, the links that the maintainer script $1 declares.
layOutAlternatives() {
  local link path priority place
  declaredAlternatives "$1" | sort -s -t $'\t' -k 3,3nr | while IFS=$'\t' read -r link path priority; do
    link=${link#/usr}
    link=${link#/}
    [[ ! -e $link && ! -L $link ]] && read -r place < <(placesOf "$path") || continue
    mkdir -p "${link%/*}"
    ln -s "$place" "$link"
    mkdir -p nix-support
    printf '%s %s\n' "$priority" "$link" >>nix-support/alternatives
  done
}

# Prints the packages, one per line: first those that declare alternatives, by their highest priority, then the
# others in their order.
byPriority() {
  local package priority
  for package; do
    priority=0
    [[ ! -e $package/nix-support/alternatives ]] || read -r priority _ <"$package/nix-support/alternatives"
    printf '%s %s\n' "$priority" "$package"
  done | sort -s -k 1,1nr | while read -r _ package; do printf '%s\n' "$package"; done
}
