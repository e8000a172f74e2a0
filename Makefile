# `make` sets the machine up, builds the images and shows the reporter at work; `make check` is for while you edit;
# `make test` and `make test-long` prove all of it.

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

.PHONY: all audit check demo fuzz images test test-flaky test-long setup $(SLIPWAY)

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

# How long the stages and the end-to-end tests took.
STAGES := $(abspath target/stage-times)
TIMES := $(abspath target/test-times)
STAGE := setup/timed $(STAGES)

# Nix's name of this machine.
SYSTEM := $(shell uname -m)-linux

# The attributes of one of the flake's outputs: checks, devShells, …
attributes = $$(nix eval --raw .\#$(1).$(SYSTEM) --apply \
	'output: toString (map (name: ".\#$(1).$(SYSTEM).$${name}") (builtins.attrNames output))')

# Scripts that name their shell, and those of derivations.
SCRIPTS := $$(git grep -lE '^\#!.*sh$$' -- .ci bench crates setup tests)
BUILD_SCRIPTS := $$(git ls-files 'nix/*.sh')

# Without debugging information tests are compiled sooner.
check: export CARGO_PROFILE_DEV_DEBUG := 0
check: images
	setup/packages shellcheck shfmt
	shfmt -d -i 2 -ci $(SCRIPTS) $(BUILD_SCRIPTS)
	shellcheck --severity warning $(SCRIPTS)
	shellcheck --severity warning --shell bash $(BUILD_SCRIPTS)
	cargo fmt --all --check
	cargo clippy --workspace --exclude reporter --all-targets --locked --quiet -- -D warnings
	cargo test --workspace --exclude reporter --exclude end-to-end --locked --quiet
	$(SLIPWAY) seed .\#formatter.$(SYSTEM)
	nix fmt -- --check flake.nix nix examples

# Unused and duplicate dependencies, and their licenses. Building the two tools takes minutes the first time.
AUDIT_TOOLS := $(abspath target/audit-tools)

audit:
	cargo install --locked --quiet --root $(AUDIT_TOOLS) cargo-deny@0.20.2 cargo-machete@0.9.2
	$(AUDIT_TOOLS)/bin/cargo-machete crates tests
	$(AUDIT_TOOLS)/bin/cargo-deny --locked check bans licenses sources

# Without debugging information tests are compiled sooner, and take less room.
test: export CARGO_PROFILE_DEV_DEBUG := 0
test: demo
	@rm -f $(STAGES) $(TIMES)
	$(STAGE) 'set up the tests' sh -c 'setup/test-tools && setup/kafka && setup/newest-nix'
	for manifest in examples/*/Cargo.toml; do \
		cargo fetch --locked --quiet --manifest-path "$$manifest" || exit; \
	done
	$(STAGE) 'fetch seeds' \
		$(SLIPWAY) seed $(call attributes,checks) $(call attributes,devShells) .#slipway .#kubectl .#formatter.$(SYSTEM)
	$(STAGE) 'nix flake check' nix flake check --print-build-logs --keep-going
	$(STAGE) 'tests of the command line' \
		cargo test --locked -p slipway -p slipway-debian -p slipway-nix -p slipway-registry -- --include-ignored
	PATH="$(TOOLS)/usr/bin:$(TOOLS)/usr/sbin:$$PATH" SLIPWAY=$(abspath $(SLIPWAY)) \
		$(STAGE) 'end-to-end tests' tests/end-to-end $(TIMES)
	@echo 'the stages:' && cat $(STAGES)
	@echo 'the twenty slowest of the end-to-end tests:' && sort -rn $(TIMES) | head -n 20

# The end-to-end tests that are long by nature; tests/long says which. TIME_LIMIT bounds them, in seconds.
test-long: export CARGO_PROFILE_DEV_DEBUG := 0
test-long: images
	@rm -f $(TIMES)
	setup/test-tools && setup/kafka && setup/newest-nix
	PATH="$(TOOLS)/usr/bin:$(TOOLS)/usr/sbin:$$PATH" SLIPWAY=$(abspath $(SLIPWAY)) tests/long $(TIMES)
	@cat $(TIMES)

# Looks for tests that fail under load; takes about an hour.
test-flaky: setup $(SLIPWAY)
	$(SLIPWAY) seed .#devShells.$(SYSTEM).default
	nix develop -c tests/flaky

# Looks for inputs of parsers that cause a panic, an endless loop or too much memory, a minute for each target.
fuzz:
	tests/fuzz 60
