# Returns the process info reporter for one target, { again, image, program }.
{
  # derivation or null: `program.dependencies` for another target, as in build-rust.nix
  builtFor,
  # function: image.nix
  image,
  # path: root directory of the cargo workspace
  root,
  # attribute set: target.nix
  target,
  # attribute set: rust/workspace.nix with the package reporter
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

  # a second build that includes all dependencies, for the check that compares both
  again = target.buildRust (arguments // {again = true;});

  image = image {
    inherit target;
    package = program;
    entrypoint = "bin/reporter";
    labels = {
      "org.opencontainers.image.description" = "Sends the time, its process id and its user id to Kafka";
      "org.opencontainers.image.licenses" = manifest.workspace.package.license;
      # A hash of the program's sources and not the git commit, so that other commits do not change the image.
      "org.opencontainers.image.revision" = program.revision;
      "org.opencontainers.image.source" = manifest.workspace.package.repository;
      "org.opencontainers.image.title" = "reporter";
      "org.opencontainers.image.version" = manifest.workspace.package.version;
    };
  };
}
