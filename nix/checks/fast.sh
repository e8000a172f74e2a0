# Succeeds if the checks that it names have succeeded.

printf '%s\n' $checks >"$out"
