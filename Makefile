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

# This machine's image, run without a container engine: three messages, as a consumer reads them.
demo: images
	$(SLIPWAY) run result -- --embedded-broker --count 3 --interval 1

# Where setup/test-tools unpacks daemons.
TOOLS := $(abspath target/test-tools)

# Nix's name of this machine.
SYSTEM := $(shell uname -m)-linux

# The attributes of one of the flake's outputs: checks, devShells, …
attributes = $$(nix eval --raw .\#$(1).$(SYSTEM) --apply \
	'output: toString (map (name: ".\#$(1).$(SYSTEM).$${name}") (builtins.attrNames output))')

test: demo
	setup/test-tools
	setup/kafka
	setup/newest-nix
	for manifest in examples/*/Cargo.toml; do \
		cargo fetch --locked --quiet --manifest-path "$$manifest" || exit; \
	done
	$(SLIPWAY) seed $(call attributes,checks) $(call attributes,devShells) .#slipway .#kubectl .#formatter.$(SYSTEM)
	nix flake check --print-build-logs
	cargo test --locked -p slipway -p slipway-debian -p slipway-nix -p slipway-registry -- --include-ignored
	PATH="$(TOOLS)/usr/bin:$(TOOLS)/usr/sbin:$$PATH" SLIPWAY=$(abspath $(SLIPWAY)) \
		cargo test --locked -p end-to-end -- --test-threads 1 --nocapture
