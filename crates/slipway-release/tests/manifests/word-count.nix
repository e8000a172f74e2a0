# word-count 1.2.3 for nixpkgs: pkgs.callPackage ./word-count.nix {}
{
  autoPatchelfHook,
  fetchurl,
  stdenvNoCC,
  # packages with libz.so.1
  libraries ? [],
}: let
  inherit (stdenvNoCC.hostPlatform) system;

  sources = {
    aarch64-darwin = {
      url = "https://example.com/v1.2.3/word-count_darwin_arm64.tar.gz";
      sha256 = "000000000000000000000000000000000000000000000000000000000000000c";
    };
    aarch64-linux = {
      url = "https://example.com/v1.2.3/word-count_linux_arm64.tar.gz";
      sha256 = "000000000000000000000000000000000000000000000000000000000000000b";
    };
    armv7l-linux = {
      url = "https://example.com/v1.2.3/word-count_linux_arm_v7.tar.gz";
      sha256 = "000000000000000000000000000000000000000000000000000000000000000c";
    };
    x86_64-darwin = {
      url = "https://example.com/v1.2.3/word-count_darwin_amd64.tar.gz";
      sha256 = "000000000000000000000000000000000000000000000000000000000000000c";
    };
    x86_64-linux = {
      url = "https://example.com/v1.2.3/word-count_linux_amd64.tar.gz";
      sha256 = "000000000000000000000000000000000000000000000000000000000000000b";
    };
  };
in
  stdenvNoCC.mkDerivation {
    pname = "word-count";
    version = "1.2.3";
    src = fetchurl (sources.${system} or (throw "word-count 1.2.3 has no archive for ${system}"));
    nativeBuildInputs = (
      if stdenvNoCC.hostPlatform.isLinux
      then [autoPatchelfHook]
      else []
    );
    buildInputs = libraries;
    dontConfigure = true;
    dontBuild = true;
    dontStrip = true;
    installPhase = ''
      runHook preInstall
      install -Dm755 -t $out/bin word-count words
      cp -r share $out
      install -Dm644 LICENSE-MIT $out/share/doc/word-count/LICENSE-MIT
      install -Dm644 README.md $out/share/doc/word-count/README.md
      install -Dm644 completions/_words $out/share/zsh/site-functions/_words
      install -Dm644 completions/word-count.bash $out/share/bash-completion/completions/word-count
      install -Dm644 completions/word-count.fish $out/share/fish/vendor_completions.d/word-count.fish
      install -Dm644 ''\'docs/it''\'\''\'''\'s ''${here}.md''\' $out/''\'share/doc/word-count/docs/it''\'\''\'''\'s ''${here}.md''\'
      install -Dm644 manpages/word-count.1.gz $out/share/man/man1/word-count.1.gz
      runHook postInstall
    '';
    meta = {
      description = "Counts \"words\", for $5 in #{lines} of \${files} it's \\n";
      homepage = "https://example.com/word-count";
      license = "MIT OR Apache-2.0";
      mainProgram = "word-count";
      platforms = builtins.attrNames sources;
    };
  }
