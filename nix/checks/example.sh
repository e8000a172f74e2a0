# Checks what an example's program prints.

$emulator "$program" >said
diff "$expected" said

touch "$out"
