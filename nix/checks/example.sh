# An example's program says what it should.

$emulator "$program" >said
diff "$expected" said

touch "$out"
