# rustc and cargo, with the standard library of the build machine and of one target.
{
  bootstrap,
  debs,
  standardLibraries,
  system,
}: let
  # These look for the standard library beside themselves unless told, each in its way.
  wrapped = {
    clippy-driver = "SYSROOT=%s exec ${debs.rust-clippy}/bin/clippy-driver";
    rustc = "exec ${debs.rustc}/bin/rustc --sysroot %s";
    rustdoc = "exec ${debs.rustc}/bin/rustdoc --sysroot %s";
  };
  linked = {
    cargo = debs.cargo;
    cargo-clippy = debs.rust-clippy;
    cargo-fmt = debs.rustfmt;
    rustfmt = debs.rustfmt;
  };
  lines = f: attrs: builtins.concatStringsSep "\n" (builtins.attrValues (builtins.mapAttrs f attrs));
in
  derivation {
    inherit standardLibraries system;
    PATH = "${bootstrap}/bin";
    name = "rust-1.85";
    args = [
      "-e"
      "-c"
      ''
        mkdir -p "$out/bin" "$out/lib/rustlib"
        for std in $standardLibraries; do ln -sfn "$std"/lib/rustlib/* "$out/lib/rustlib"; done
        cd "$out/bin"
        ${lines (tool: package: "cp ${package}/bin/${tool} .") linked}
        ${lines
          (tool: command: ''
            printf '#!${bootstrap}/bin/bash\n${command} "$@"\n' "$out" >${tool}
            chmod +x ${tool}
          '')
          wrapped}
      ''
    ];
    builder = "${bootstrap}/bin/bash";
  }
