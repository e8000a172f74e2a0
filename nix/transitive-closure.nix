# Returns a function from a list of values to the list of these values and all values reachable from them,
# each once.
{
  # function from a value to a string that identifies it
  key,
  # function from a value to the list of values that it leads to
  next,
}: let
  node = value: {
    inherit value;
    key = key value;
  };
in
  start:
    map (node: node.value) (builtins.genericClosure {
      startSet = map node start;
      operator = found: map node (next found.value);
    })
