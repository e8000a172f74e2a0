# Things and all that they lead to, each once: `next` gives what one leads to, `key` tells them apart.
{
  key,
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
