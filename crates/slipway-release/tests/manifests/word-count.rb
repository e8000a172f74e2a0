class WordCount < Formula
  desc "Counts \"words\", for $5 in \#{lines} of ${files} it's \\n"
  homepage "https://example.com/word-count"
  version "1.2.3"
  license any_of: ["MIT", "Apache-2.0"]

  on_macos do
    on_intel do
      url "https://example.com/v1.2.3/word-count_darwin_amd64.tar.gz"
      sha256 "000000000000000000000000000000000000000000000000000000000000000c"
    end
    on_arm do
      url "https://example.com/v1.2.3/word-count_darwin_arm64.tar.gz"
      sha256 "000000000000000000000000000000000000000000000000000000000000000c"
    end
  end

  on_linux do
    on_intel do
      url "https://example.com/v1.2.3/word-count_linux_amd64.tar.gz"
      sha256 "000000000000000000000000000000000000000000000000000000000000000b"
    end
    on_arm do
      url "https://example.com/v1.2.3/word-count_linux_arm64.tar.gz"
      sha256 "000000000000000000000000000000000000000000000000000000000000000b"
    end
  end

  def install
    bin.install "word-count", "words"
    prefix.install "share"
    zsh_completion.install "completions/_words"
    bash_completion.install "completions/word-count.bash" => "word-count"
    fish_completion.install "completions/word-count.fish"
    (doc/"docs").install "docs/it's ${here}.md"
    man1.install "manpages/word-count.1.gz"
  end

  test do
    assert_path_exists bin/"word-count"
  end
end
