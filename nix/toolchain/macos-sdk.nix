# Returns Apple's SDK for macOS as a string, the store path of the directory that a project names. It is used as it is, in
# place of the sysroot of darwin.nix.
#
# macosSdk  path, flake input or derivation: a directory such as MacOSX15.4.sdk
macosSdk: let
  inherit (builtins) hasContext isString pathExists;

  isInStore = !(isString macosSdk) || hasContext macosSdk;
in
  if isInStore && pathExists (macosSdk + "/usr/lib/libSystem.tbd")
  then "${macosSdk}"
  else throw "macosSdk is ${toString macosSdk}, which is not in the Nix store or has no usr/lib/libSystem.tbd; make a directory such as MacOSX15.4.sdk an input of the flake (docs/release.md)"
