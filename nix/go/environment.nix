# Returns environment variables with which the go command builds for one target, without a network.
{
  # the target's row of platforms.nix
  platform,
}:
platform.go
// {
  GOENV = "off";
  GOOS = "linux";
  GOPROXY = "off";
  GOSUMDB = "off";
  GOTELEMETRY = "off";
  GOTOOLCHAIN = "local";
}
