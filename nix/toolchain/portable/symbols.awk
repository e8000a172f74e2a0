# Reads `llvm-readelf --dyn-syms` of a C library's shared objects, and writes for each of them, in the directory
# `out`, the assembly and the version script of a stand-in that has only what the C library had in version
# `version`. A symbol has the newest of its versions up to that one. The file `newer` gets those that came later, and
# their first version. The first file that is read, moved.txt, has the symbols that were in another shared object
# before glibc 2.34, and that object. Source: the symbols of Debian 11's libc6 (glibc 2.31) for amd64, arm64, armhf
# and i386.

# A number that orders versions, such as 2.3.4.
function order(version, parts) {
  split(version, parts, ".")
  return parts[1] * 1000000 + parts[2] * 1000 + parts[3]
}

FNR == NR {
  moved[$1] = $2
  next
}

# A line `File: NAME` comes before the symbols of each shared object.
$1 == "File:" {
  file = $2
  sub(".*/", "", file)
  next
}

# Columns: Num: Value Size Type Bind Vis Ndx Name
$1 ~ /^[0-9]+:$/ && $7 != "UND" && ($5 == "GLOBAL" || $5 == "WEAK") && match($8, /@+GLIBC_[0-9.]+$/) {
  name = substr($8, 1, RSTART - 1)
  number = substr($8, RSTART, RLENGTH)
  sub(/^@+GLIBC_/, "", number)
  if ($4 == "TLS") next
  if (order(number) > order(version)) {
    if (!(name in later) || order(number) < order(later[name])) later[name] = number
    next
  }
  older[name] = 1
  library = file
  if (file ~ /^libc\.so/ && name in moved) library = moved[name]
  key = library " " name
  if (key in found && order(found[key]) >= order(number)) next
  found[key] = number
  kind[key] = $4
  value[key] = file $2
  size[key] = $3
}

END {
  for (name in later) {
    if (!(name in older)) print name, later[name] >(out "/newer")
  }
  for (key in found) {
    split(key, part, " ")
    library = part[1]
    name = part[2]
    number = found[key]
    nodes[library " " number] = nodes[library " " number] "    " name ";\n"
    libraries[library] = 1
    if (kind[key] == "OBJECT") {
      # Names of one object stay names of one object.
      place = library " " value[key]
      objects[place] = objects[place] ".globl " name "\n.type " name ", STT_OBJECT\n.size " name ", " size[key] "\n" name ":\n"
      if (size[key] + 0 > room[place] + 0) room[place] = size[key]
    } else {
      code[library] = code[library] ".globl " name "\n.type " name ", STT_FUNC\n" name ": .byte 0\n"
    }
  }
  for (library in libraries) {
    assembly = out "/" library ".s"
    print ".text\n" code[library] ".data" >assembly
    for (place in objects) {
      split(place, part, " ")
      if (part[1] == library) print ".balign 32\n" objects[place] ".zero " (room[place] + 0 ? room[place] : 1) >assembly
    }
    script = out "/" library ".map"
    for (node in nodes) {
      split(node, part, " ")
      if (part[1] == library) print "GLIBC_" part[2] " {\n  global:\n" nodes[node] "};" >script
    }
    close(assembly)
    close(script)
  }
}
