# `make` sets the machine up, builds the images and shows the reporter at work; `make test` proves all of it.

SLIPWAY := target/driver/slipway

# The user's own settings hold, for what is not said here.
define NIX_CONFIG :=
$(NIX_CONFIG)
experimental-features = nix-command flakes
max-jobs = auto
sandbox = true
endef
export NIX_CONFIG

# An error says where it arose in its own words.
export RUST_LIB_BACKTRACE := 0

.PHONY: all demo images test setup $(SLIPWAY)

all: demo

setup:
	@setup/nix

$(SLIPWAY):
	cargo build --profile driver --locked

images: setup $(SLIPWAY)
	$(SLIPWAY) build

# The amd64 image, run without a container engine: three messages, as a consumer reads them.
demo: images
	$(SLIPWAY) run --platform linux/amd64 result -- --embedded-broker --count 3 --interval 1

# Where setup/test-tools unpacks daemons.
TOOLS := $(abspath target/test-tools)

SHELLS = $(foreach name,default aarch64 x86_64,.#devShells.x86_64-linux.$(name))

test: demo
	setup/test-tools
	setup/kafka
	for manifest in examples/*/Cargo.toml; do \
		cargo fetch --locked --quiet --manifest-path "$$manifest" || exit; \
	done
	checks=$$(nix eval --raw .#checks.x86_64-linux --apply \
		'checks: toString (map (name: ".#checks.x86_64-linux.$${name}") (builtins.attrNames checks))') && \
	$(SLIPWAY) seed $$checks $(SHELLS) .#slipway .#kubectl .#formatter.x86_64-linux
	nix flake check --print-build-logs
	cargo test --locked -p slipway -p slipway-debian -p slipway-nix -p slipway-registry -- --include-ignored
	PATH="$(TOOLS)/usr/bin:$(TOOLS)/usr/sbin:$$PATH" SLIPWAY=$(abspath $(SLIPWAY)) \
		cargo test --locked -p end-to-end -- --test-threads 1 --nocapture
