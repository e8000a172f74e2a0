# Returns the annotations that name the commit of a flake's sources: its hash, and its time as the time of
# creation. They are the same on every machine. A tree with changes that are not committed has none.
{
  # attribute set: the flake, as its `outputs` get it under the name `self`
  self,
}: let
  inherit (builtins) elemAt match;

  # YYYYMMDDHHMMSS, in UTC
  parts = match "(....)(..)(..)(..)(..)(..)" self.lastModifiedDate;
  at = elemAt parts;
in
  if self ? rev
  then
    {"org.opencontainers.image.revision" = self.rev;}
    // (
      if self ? lastModifiedDate
      then {"org.opencontainers.image.created" = "${at 0}-${at 1}-${at 2}T${at 3}:${at 4}:${at 5}Z";}
      else {}
    )
  else {}
