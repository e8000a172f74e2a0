# Returns environment variables with which the go command builds for one platform, without a network.
{
  # attribute set of strings: variables that name the platform, such as GOARCH
  go,
}:
{GOOS = "linux";}
// go
// {
  GOENV = "off";
  GOPROXY = "off";
  GOSUMDB = "off";
  GOTELEMETRY = "off";
  GOTOOLCHAIN = "local";
}
