# rustc and cargo, with the standard library of the build machine and of one target.
{
  bootstrap,
  # the packages that hold the programs
  cargo,
  clippy,
  rustc,
  rustfmt,
  standardLibraries,
  system,
}: let
  # These look for the standard library beside themselves unless told, each in its way.
  wrapped = {
    clippy-driver = "SYSROOT=@out@ exec ${clippy}/bin/clippy-driver \"$@\"";
    # The processor that happens to build is not what the program is for.
    rustc = ''
      args=()
      for arg; do
        case $arg in
          target-cpu=native) unset "args[-1]" ;;
          -Ctarget-cpu=native | --codegen=target-cpu=native) ;;
          *) args+=("$arg") ;;
        esac
      done
      exec ${rustc}/bin/rustc --sysroot @out@ "''${args[@]}"'';
    rustdoc = "exec ${rustc}/bin/rustdoc --sysroot @out@ \"$@\"";
  };
  linked = {
    inherit cargo rustfmt;
    cargo-clippy = clippy;
    cargo-fmt = rustfmt;
  };
  # as in 1.85.1
  version = builtins.head (builtins.match "([0-9.]+).*" rustc.pin.version);
  release = builtins.head (builtins.match "([0-9]+[.][0-9]+).*" version);
  lines = f: attrs: builtins.concatStringsSep "\n" (builtins.attrValues (builtins.mapAttrs f attrs));
in
  derivation {
    inherit standardLibraries system;
    PATH = "${bootstrap}/bin";
    name = "rust-${release}";
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
            sed "s|@out@|$out|" >${tool} <<'END'
            #!${bootstrap}/bin/bash
            ${command}
            END
            chmod +x ${tool}
          '')
          wrapped}
      ''
    ];
    builder = "${bootstrap}/bin/bash";
  }
  // {inherit version;}
