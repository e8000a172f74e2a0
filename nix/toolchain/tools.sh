# Makes a script in $out/bin for each program of $package, with $exports and the programs of $others.

mkdir -p "$out/bin"
path=
for other in $others; do path+=$other/bin:; done

for program in "$package"/bin/* "$package"/sbin/*; do
  [[ -f $program && -x $program ]] || continue
  interpreter=
  IFS= LC_ALL=C read -r -d '' -n 2 magic <"$program" || true
  if [[ $magic = '#!' ]]; then
    read -r line <"$program"
    read -r interpreter argument <<<"${line#??}"
    if [[ $interpreter = */env ]]; then read -r interpreter argument <<<"$argument"; fi
    interpreter="${interpreter##*/} $argument"
  fi
  cat >"$out/bin/${program##*/}" <<END
#!$BASH
$exports
export PATH=$path\$PATH
exec $interpreter $program "\$@"
END
  chmod +x "$out/bin/${program##*/}"
done
