# All commands of the project. `make` alone lists them.
#
# Needed: Rust (rustup), gcc and make. A target that needs more says so in one line, with the way to get it, and fails.

.DEFAULT_GOAL := help
.NOTPARALLEL:

CARGO ?= cargo
# Nightly is for the sanitizers and Miri alone.
NIGHTLY ?= nightly
TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)
TARGET := $(shell rustc -vV 2>/dev/null | sed -n 's/^host: //p')
EXAMPLE := $(CARGO) run --release -p nylon-ring-examples --bin

MIRI = CARGO_TARGET_DIR="$(TARGET_DIR)/miri" $(CARGO) +$(NIGHTLY) miri test
# What runs under the sanitizers. The test `no_mutex` puts itself in front of pthread's functions, as the sanitizers do.
SANITIZED_TESTS := $(filter-out no_mutex,$(basename $(notdir $(wildcard host/tests/*.rs))))
SANITIZED_HOST := -p nylon-ring-host --lib $(addprefix --test ,$(SANITIZED_TESTS))
SANITIZED_REST := -p nylon-ring-runtime -p nylon-ring-sdk --lib --tests

# $(call need,<command that succeeds if it is there>,<one line: what, and how to get it>)
need = @$(1) >/dev/null 2>&1 || { echo "make $@: $(2)" >&2; exit 1; }
need_nightly = $(call need,rustc +$(NIGHTLY) --version,needs a nightly toolchain; get it by: rustup toolchain install $(NIGHTLY) --profile minimal)
need_rust_src = $(call need,test -f "$$(rustc +$(NIGHTLY) --print sysroot)/lib/rustlib/src/rust/library/Cargo.lock",needs the sources of std; get them by: rustup component add rust-src --toolchain $(NIGHTLY))
need_miri = $(call need,$(CARGO) +$(NIGHTLY) miri --version,needs Miri; get it by: rustup component add miri rust-src --toolchain $(NIGHTLY))
need_cc = $(call need,command -v "$${CC:-cc}",needs a C compiler; get it by: apt-get install gcc libc6-dev)

.PHONY: help
help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name what; do \
		printf '%-26s %s\n' "$$name" "$$what"; done

# --- build and run ---

.PHONY: all
all: ## Build everything
	$(CARGO) build --workspace --all-targets

.PHONY: demo
demo: ## Build and run the main job: unary, streaming, state, throughput (15 s, once built)
	$(EXAMPLE) demo

.PHONY: examples
examples: example-simple example-streaming example-state example-embed example-c ## Run all examples

.PHONY: example-simple
example-simple: ## Five calls at once that overlap
	$(EXAMPLE) simple

.PHONY: example-streaming
example-streaming: ## One call with five frames
	$(EXAMPLE) streaming

.PHONY: example-state
example-state: ## What a plugin stores for one call
	$(EXAMPLE) state

.PHONY: example-embed
example-embed: ## The rings alone, without plugins: one shard a core
	$(CARGO) run --release -p nylon-ring-runtime --example thread_per_core

.PHONY: example-c
example-c: ## The smallest C plugin, through the Rust host
	$(need_cc)
	$(EXAMPLE) simple -- examples/c/minimal.c

# --- test ---

.PHONY: test
test: ## Run all tests, doc tests included
	$(need_cc)
	$(CARGO) test --workspace

.PHONY: test-all
test-all: ## The same, verbose, with what tests print
	$(need_cc)
	$(CARGO) test --workspace --verbose -- --nocapture

.PHONY: loom
loom: ## Model-check the ring's concurrency with loom
	RUSTFLAGS="--cfg nylon_loom" CARGO_TARGET_DIR="$(TARGET_DIR)/loom" $(CARGO) test --release -p nylon-ring-loom-tests

# Left out: what calls into the system (poll, processes, files) or takes Miri too long. Tests that leak on purpose (a plugin is
# never dropped) are not looked at for leaks.
.PHONY: miri
miri: ## Run tests of ABI, rings and SDK under Miri (needs nightly, miri)
	$(need_nightly)
	$(need_miri)
	MIRIFLAGS="-Zmiri-strict-provenance" $(MIRI) -p nylon-ring --lib --test views --test headers --test contract
	MIRIFLAGS="-Zmiri-strict-provenance" $(MIRI) -p nylon-ring-runtime --lib --test state
	MIRIFLAGS="-Zmiri-strict-provenance -Zmiri-ignore-leaks" $(MIRI) -p nylon-ring-runtime --test wakers
	MIRIFLAGS="-Zmiri-strict-provenance -Zmiri-ignore-leaks" $(MIRI) -p nylon-ring-sdk --lib --tests

# Without std rebuilt (-Zbuild-std), ThreadSanitizer reports correct code. With -rdynamic a plugin finds the sanitizer's runtime in
# the executable that loads it. Suppressed: tokio hands its `ScheduledIo` to the driver's thread through epoll, where the sanitizer
# does not follow it. Left out: tests that measure memory (the sanitizer has its own), and leaks of threads (the spare one stays).
.PHONY: tsan
tsan: export RUSTFLAGS := -Zsanitizer=thread -Clink-arg=-rdynamic
tsan: export TSAN_OPTIONS := exitcode=66:report_thread_leaks=0:suppressions=$(abspath $(TARGET_DIR))/tsan/suppressions
tsan: export NYLON_RING_ARTIFACT_ARGS := -Zbuild-std
tsan: export RUSTUP_TOOLCHAIN := $(NIGHTLY)
tsan: export CARGO_TARGET_DIR := $(TARGET_DIR)/tsan
tsan: ## Run the tests of rings, host and SDK under ThreadSanitizer (needs nightly, rust-src)
	$(need_nightly)
	$(need_rust_src)
	$(need_cc)
	@mkdir -p $(TARGET_DIR)/tsan && echo "race:tokio::runtime::io::scheduled_io::ScheduledIo" >$(TARGET_DIR)/tsan/suppressions
	cargo test $(SANITIZED_REST) -Zbuild-std --target $(TARGET)
	cargo test $(SANITIZED_HOST) -Zbuild-std --target $(TARGET) -- --skip memory::

# Leaks are not looked for: what a plugin's host_ctx points to lives for ever on purpose.
.PHONY: asan
asan: export RUSTFLAGS := -Zsanitizer=address -Clink-arg=-rdynamic
asan: export ASAN_OPTIONS := detect_leaks=0
asan: export RUSTUP_TOOLCHAIN := $(NIGHTLY)
asan: export CARGO_TARGET_DIR := $(TARGET_DIR)/asan
asan: ## Run the tests of rings, host and SDK under AddressSanitizer (needs nightly)
	$(need_nightly)
	$(need_cc)
	cargo test $(SANITIZED_REST) --target $(TARGET)
	cargo test $(SANITIZED_HOST) --target $(TARGET)

.PHONY: fuzz
fuzz: ## Fuzz the ABI's readers (there is no harness yet: fails)
	@echo "make fuzz: there is no fuzz harness in this version; nothing was run" >&2; exit 1

# --- measure ---

.PHONY: benchmark
benchmark: benchmark-abi benchmark-host ## Run all criterion benchmarks

.PHONY: benchmark-abi
benchmark-abi: ## What the views of the ABI cost (criterion)
	$(CARGO) bench -p nylon-ring-benches --bench abi

.PHONY: benchmark-host
benchmark-host: ## A round trip from host to plugin and back (criterion)
	$(CARGO) bench -p nylon-ring-benches --bench host

.PHONY: compare
compare: ## The ring beside the mutex baseline: a table and plots, into benches/results
	$(CARGO) run --release -p nylon-ring-benches --bin compare

# --- check ---

.PHONY: fmt
fmt: ## Format all code
	$(CARGO) fmt --all

.PHONY: clippy
clippy: ## Lint everything; warnings are errors
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	RUSTFLAGS="--cfg nylon_loom" CARGO_TARGET_DIR="$(TARGET_DIR)/loom" \
		$(CARGO) clippy -p nylon-ring-runtime --lib -p nylon-ring-loom-tests --tests -- -D warnings

.PHONY: doc
doc: ## Build the documentation; warnings are errors
	RUSTDOCFLAGS="-Dwarnings" $(CARGO) doc --workspace --no-deps

.PHONY: ci
ci: ## Everything that CI runs
	./.ci/run

.PHONY: clean
clean: ## Remove all that was built
	$(CARGO) clean
