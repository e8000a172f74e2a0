{
  description = "A web service with files, time zones and a font";

  # Slipway brings the compilers, pinned. It has no inputs itself.
  inputs.slipway.url = "path:../..";

  # packages, images, shells and checks: `nix flake show` lists them, `nix build .#image` builds all platforms
  outputs = {
    self,
    slipway,
  }:
    slipway.lib.mkProject {
      inherit self;
      src = ./.;
      platforms = ["linux/amd64" "linux/arm64"];
      # Every argument is described in docs/images.md.
      image = {
        accounts.clock = {
          uid = 1000;
          home = "/var/lib/world-clock";
        };
        cmd = ["0.0.0.0:8080"];
        contents = {
          "/etc/world-clock/page.html" = {
            source = ./page.html;
            mode = "0640";
            owner = "root:clock";
          };
          "/srv/www" = ./www;
        };
        entrypoint = ["bin/world-clock" "serve"];
        env.TZ = "Europe/Berlin";
        expose = ["8080"];
        healthcheck = {
          test = ["CMD" "bin/world-clock" "time" "UTC"];
          interval = "30s";
        };
        runtimePackages = ["fonts-dejavu-core" "media-types" "tzdata"];
        stopSignal = "SIGTERM";
        user = "1000:1000";
        volumes = ["/var/lib/world-clock"];
        workdir = "/srv/www";
        writable = ["/var/lib/world-clock"];
      };
    };
}
