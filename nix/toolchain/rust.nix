# Returns a derivation with cargo, rustc, rustdoc, clippy and rustfmt, and with the standard libraries of the
# build machine and of one target. Its attributes:
#
#   client               derivation: the toolchain with no further standard library, which downloads crates
#   version              string: the version of rustc
#   withStandardLibrary  function: returns the toolchain with another standard library as well
args @ {
  # derivation: static bash and busybox in bin/ (toolchain/bootstrap.nix)
  bootstrap,
  # Debian packages that have these programs
  cargo,
  clippy,
  rustc,
  rustfmt,
  # derivation: the attribute of this name. By default the toolchain itself.
  client ? null,
  # list: Debian packages of the standard libraries, of the build machine and of the target
  standardLibraries,
  # string: system of the build machine, such as "x86_64-linux"
  system,
}: let
  # These programs search the standard library relative to their executables. The wrappers pass its location
  # in the way that each program accepts.
  wrapped = {
    clippy-driver = "SYSROOT=@out@ exec ${clippy}/bin/clippy-driver \"$@\"";
    # Drop target-cpu=native: the program must not depend on the build machine's processor.
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
  # such as "1.85.1"
  version = builtins.head (builtins.match "([0-9.]+).*" rustc.pin.version);
  release = builtins.head (builtins.match "([0-9]+[.][0-9]+).*" version);
  lines = f: attrs: builtins.concatStringsSep "\n" (builtins.attrValues (builtins.mapAttrs f attrs));

  toolchain =
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
    // {
      inherit version;
      client =
        if client == null
        then toolchain
        else client;
      withStandardLibrary = library:
        import ./rust.nix (args
          // {
            client = toolchain;
            standardLibraries = standardLibraries ++ [library];
          });
    };
in
  toolchain
