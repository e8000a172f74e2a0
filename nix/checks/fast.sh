# The checks that it names have passed.

printf '%s\n' $checks >"$out"
