# The process info reporter for one target, and its image.
{
  builtFor,
  image,
  root,
  target,
  workspace,
}: let
  manifest = builtins.fromTOML (builtins.readFile (root + "/Cargo.toml"));

  arguments = {
    inherit builtFor root workspace;
    packages = ["reporter"];
    buildInputs = [target.librdkafka.dev];
    cxx = false;
  };
  program = target.buildRust arguments;
in {
  inherit program;

  # the same, built once more from the first crate on, to be compared
  again = target.buildRust (arguments // {again = true;});

  image = image {
    inherit target;
    package = program;
    entrypoint = "bin/reporter";
    labels = {
      "org.opencontainers.image.description" = "Sends the time, its process id and its user id to Kafka";
      "org.opencontainers.image.licenses" = manifest.workspace.package.license;
      # Of the sources that go into the image, so that no other change of the repository makes a new image.
      "org.opencontainers.image.revision" = program.revision;
      "org.opencontainers.image.source" = manifest.workspace.package.repository;
      "org.opencontainers.image.title" = "reporter";
      "org.opencontainers.image.version" = manifest.workspace.package.version;
    };
  };
}
