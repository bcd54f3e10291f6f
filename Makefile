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

# $(call need,<command that succeeds if it is there>,<one line: what, and how to get it>)
need = @$(1) >/dev/null 2>&1 || { echo "make $@: $(2)" >&2; exit 1; }
need_nightly = $(call need,rustc +$(NIGHTLY) --version,needs a nightly toolchain; get it by: rustup toolchain install $(NIGHTLY) --profile minimal)
need_rust_src = $(call need,test -f "$$(rustc +$(NIGHTLY) --print sysroot)/lib/rustlib/src/rust/library/Cargo.lock",needs the sources of std; get them by: rustup component add rust-src --toolchain $(NIGHTLY))
need_miri = $(call need,$(CARGO) +$(NIGHTLY) miri --version,needs Miri; get it by: rustup component add miri rust-src --toolchain $(NIGHTLY))
need_cxx = $(call need,command -v "$${CXX:-c++}",needs a C++ compiler; get it by: apt-get install g++)
need_cc = $(call need,command -v "$${CC:-cc}",needs a C compiler; get it by: apt-get install gcc libc6-dev)

.PHONY: help
help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name what; do \
		printf '%-26s %s\n' "$$name" "$$what"; done

# --- build and run ---

.PHONY: all
all: ## Build everything
	$(CARGO) build --workspace --all-targets

CLI := -p nylon-ring-host --features cli

.PHONY: cli
cli: ## Build the command line tool, target/release/nylon-ring
	$(CARGO) build --release $(CLI) --bin nylon-ring

.PHONY: install
install: ## Install the command line tool nylon-ring, by cargo
	$(CARGO) install --path host --features cli --bin nylon-ring --locked

.PHONY: demo
demo: ## Build and run the main job: unary, streaming, state, throughput (15 s, once built)
	$(EXAMPLE) demo

.PHONY: examples
examples: example-simple example-streaming example-state example-embed example-shared example-c example-payloads ## Run all examples

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

.PHONY: example-shared
example-shared: ## Results from another process, through shared memory (Linux)
	$(CARGO) run --release -p nylon-ring-runtime --example two_processes

.PHONY: example-c
example-c: ## The smallest C plugin, through the Rust host
	$(need_cc)
	$(EXAMPLE) simple -- examples/c/minimal.c

# Tests of plugins in these languages fail without them, and say so.
.PHONY: toolchains
toolchains: ## Install the compilers of Go and Zig plugins into the target directory, where they are not in PATH
	@sh plugin-sdk/toolchains.sh "$(TARGET_DIR)/toolchains"

.PHONY: example-payloads
example-payloads: ## JSON, MessagePack, Protobuf, FlatBuffers, Cap'n Proto and rkyv, from host to plugin and back
	$(CARGO) run --release -p nylon-ring-payloads-host

.PHONY: example-gateway
example-gateway: ## An HTTP server in front of the example plugin; prints what to ask it with curl (GATEWAY="--help" for its options)
	$(call need,command -v curl,needs curl to ask it; get it by: apt-get install curl)
	$(CARGO) run --release -p nylon-ring-gateway -- $(GATEWAY)

# --- test ---

# What only features bring.
HOST_FEATURES = $(CARGO) test -p nylon-ring-host --all-features --test bytes --test http --test tower

# What needs no compiler but those of Rust, C and C++.
CONFORMANCE := $(CARGO) test -p nylon-ring-conformance

.PHONY: test
test: ## Run all tests but those of Go and Zig plugins (make test-languages), doc tests included
	$(need_cc)
	$(need_cxx)
	$(CARGO) test --workspace --exclude nylon-ring-conformance
	$(CONFORMANCE) --lib --test c --test cpp --test cpp_header
	$(HOST_FEATURES)
	$(CARGO) test -p nylon-ring-host --all-features --doc
	$(CARGO) test -p nylon-ring-host --features tracing --test trace

.PHONY: test-all
test-all: toolchains ## The same, verbose, with what tests print
	$(need_cc)
	$(need_cxx)
	$(CARGO) test --workspace --verbose -- --nocapture
	$(HOST_FEATURES) --verbose -- --nocapture

.PHONY: test-languages
test-languages: toolchains ## Run the suite that the plugins of every language pass, and compile their guides
	$(need_cc)
	$(need_cxx)
	$(CONFORMANCE)

.PHONY: test-cli
test-cli: toolchains ## Test the command line tool: each faulty plugin is found, each new project builds and passes (minutes)
	$(need_cc)
	$(need_cxx)
	$(CARGO) test $(CLI) --bin nylon-ring --test check --test cli

# The models run optimized, with the assertions of the source.
LOOM = RUSTFLAGS="--cfg nylon_loom" CARGO_TARGET_DIR="$(TARGET_DIR)/loom" CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS=true \
	CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16

.PHONY: loom
loom: ## Model-check the rings with loom, each model within its bound (some minutes)
	$(LOOM) $(CARGO) test --release -p nylon-ring-loom-tests

.PHONY: loom-deep
loom-deep: ## The same, each model as far as three minutes carry it; prints the table of loom-tests/DEEP.md (hours)
	LOOM_DEEP=1 $(LOOM) $(CARGO) test --release -p nylon-ring-loom-tests --test models -- --nocapture --test-threads=1

.PHONY: loom-mutants
loom-mutants: ## Break each ordering and each step of the rings; a test must notice. Writes loom-tests/MUTANTS.md (half an hour; resumes)
	$(CARGO) run -p nylon-ring-loom-tests --features mutants --bin mutants -- --resume $(MUTANTS)

.PHONY: loom-mutants-short
loom-mutants-short: ## Compare MUTANTS.md with the source, and run ten mutants again, chosen by chance (a minute or two)
	$(CARGO) test -p nylon-ring-loom-tests --features mutants --bin mutants
	$(CARGO) run -p nylon-ring-loom-tests --features mutants --bin mutants -- --sample 10

# --- find what tests alone do not show ---

# A tool that is silent may have found nothing, or looked at nothing. So each has to find bugs first that are there on purpose.
# $(call finds,<test command>,<name of the test>,<what the tool must say>)
define finds
	@said=$$($(1) -- --ignored --exact $(2) 2>&1); \
	case "$$? $$said" in \
	"0 "*) echo "make $@: the bug on purpose in the test $(2) was not found; nothing else would be" >&2; exit 1;; \
	*'$(3)'*) echo "the bug on purpose in $(2) is found:" "$$(printf '%s\n' "$$said" | grep -F '$(3)' | head -n 1)";; \
	*) printf '%s\n' "$$said" | tail -n 40; echo "make $@: $(2) failed without a word of '$(3)'" >&2; exit 1;; \
	esac
endef

# $(call tests_of,<crates>,<names that are left out>)
tests_of = $(addprefix --test ,$(sort $(filter-out $(2),$(basename $(notdir $(wildcard $(addsuffix /tests/*.rs,$(1))))))))

# Miri sees one process and its memory. Left out: `header` and `layout`, which start a C compiler, `shared`, about processes,
# `fuzz`, which reads files and maps memory, and `witnesses`, which rings the real doorbell. `wakers` leaks runtimes, and a plugin
# is never dropped: no leaks are looked for there.
# $(call miri,<more flags>)
miri = CARGO_TARGET_DIR="$(TARGET_DIR)" MIRIFLAGS="-Zmiri-strict-provenance $(1)" $(CARGO) +$(NIGHTLY) miri test
UB := Undefined Behavior

.PHONY: miri
miri: ## Run tests of ABI, rings and SDK under Miri (needs nightly, miri; minutes)
	$(need_nightly)
	$(need_miri)
	$(call finds,$(miri) -p nylon-ring-runtime --test seeded,data_race,$(UB): Data race)
	$(call finds,$(miri) -p nylon-ring-runtime --test seeded,use_after_free,$(UB): memory access failed)
	$(call finds,$(miri) -p nylon-ring-runtime --test seeded,uninitialised,$(UB): reading memory)
	$(miri) -p nylon-ring --lib $(call tests_of,abi,header layout fuzz)
	$(miri) -p nylon-ring-runtime --lib $(call tests_of,ring,shared fuzz wakers witnesses)
	$(call miri,-Zmiri-ignore-leaks) -p nylon-ring-runtime --test wakers
	$(call miri,-Zmiri-ignore-leaks) -p nylon-ring-sdk --lib $(call tests_of,plugin-sdk,mistakes)

# The sanitizers see Rust and C: a C plugin is compiled with the sanitizer of the host that loads it, and finds its runtime in the
# executable (-rdynamic). A plugin's file is gone once it is loaded, so in reports its frames have no names, only an offset:
# `addr2line -fe <target directory>/<sanitizer>/*/debug/c-plugins/<library> <offset>` gives them.
# Left out: `no_mutex`, which puts itself in front of pthread's functions, as the sanitizers do, the safe code behind features, the tests
# of the tool, and `mistakes`, which starts a compiler.
SANITIZED := -p nylon-ring-runtime -p nylon-ring-sdk -p nylon-ring-host --target $(TARGET)
SANITIZED_TESTS = --lib $(call tests_of,ring plugin-sdk host,no_mutex bytes http tower check cli mistakes trace $(LEFT_OUT))

# ThreadSanitizer sees one process too, which leaves `shared` out, and reports correct code unless std is rebuilt (-Zbuild-std).
# What measures memory (`memory::`) is left out: the sanitizer takes its own. The spare thread of a host is no leak.
.PHONY: tsan
tsan: LEFT_OUT := shared
tsan: export RUSTFLAGS := -Zsanitizer=thread -Clink-arg=-rdynamic
tsan: export TSAN_OPTIONS := exitcode=66:report_thread_leaks=0:suppressions='$(CURDIR)/host/tests/tsan.supp'
tsan: export NYLON_RING_ARTIFACT_ARGS := -Zbuild-std
tsan: export RUSTUP_TOOLCHAIN := $(NIGHTLY)
tsan: export CARGO_TARGET_DIR := $(TARGET_DIR)/tsan
tsan: ## Run the tests of rings, host and SDK under ThreadSanitizer (needs nightly, rust-src; minutes)
	$(need_nightly)
	$(need_rust_src)
	$(need_cc)
	cargo test --no-run $(SANITIZED) -Zbuild-std $(SANITIZED_TESTS)
	$(call finds,cargo test $(SANITIZED) -Zbuild-std --test seeded,data_race,ThreadSanitizer: data race)
	$(call finds,cargo test $(SANITIZED) -Zbuild-std --test seeded,data_race_in_c,ThreadSanitizer: data race)
	cargo test --no-fail-fast $(SANITIZED) -Zbuild-std $(SANITIZED_TESTS) -- --skip memory::

# Leaks are not looked for: what a plugin's host_ctx points to lives for ever on purpose. Left out, for their time: `ten_million`
# records from one process to another.
.PHONY: asan
asan: export RUSTFLAGS := -Zsanitizer=address -Clink-arg=-rdynamic
asan: export ASAN_OPTIONS := detect_leaks=0
asan: export RUSTUP_TOOLCHAIN := $(NIGHTLY)
asan: export CARGO_TARGET_DIR := $(TARGET_DIR)/asan
asan: ## Run the tests of rings, host and SDK under AddressSanitizer (needs nightly; minutes)
	$(need_nightly)
	$(need_cc)
	cargo test --no-run $(SANITIZED) $(SANITIZED_TESTS)
	$(call finds,cargo test $(SANITIZED) --test seeded,use_after_free,AddressSanitizer: heap-use-after-free)
	$(call finds,cargo test $(SANITIZED) --test seeded,use_after_free_in_c,AddressSanitizer: heap-use-after-free)
	cargo test --no-fail-fast $(SANITIZED) $(SANITIZED_TESTS) -- --skip ten_million

# Random inputs, on any toolchain; what fails is made small and printed with its seed.
FUZZ_SECONDS ?= 60
FUZZ = BOLERO_RANDOM_TEST_TIME_MS=$(FUZZ_SECONDS)000 BOLERO_RANDOM_ITERATIONS=1000000000000 $(CARGO) test --release

.PHONY: fuzz
fuzz: ## Fuzz the readers of the ABI and of shared memory, FUZZ_SECONDS=60 each
	$(FUZZ) -p nylon-ring --test fuzz
	$(FUZZ) -p nylon-ring-runtime --test fuzz

SOAK = $(CARGO) run --release -p nylon-ring-benches --bin soak --

.PHONY: soak soak-short
soak: ## 100 million calls with everything that can go wrong, and exact books (minutes); writes benches/results/soak.md
	$(need_cc)
	$(SOAK) --out benches/results/soak.md
soak-short: ## The same for about 20 s
	$(need_cc)
	$(SOAK) --short

.PHONY: gateway-load-short
gateway-load-short: ## The gateway under wrk for 5 s: every request must be answered (needs wrk)
	$(call need,command -v wrk,needs wrk; get it by: apt-get install wrk)
	$(CARGO) build --release -p nylon-ring-gateway -p nylon-ring-plugin-example
	examples/gateway/load.sh "$(TARGET_DIR)/release/gateway" 5

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
compare: ## The ring beside other hosts: tables and plots, into benches/results (about 25 minutes)
	$(CARGO) run --release -p nylon-ring-benches --bin compare

# --- check ---

.PHONY: fmt
fmt: ## Format all code
	$(CARGO) fmt --all

.PHONY: clippy
clippy: ## Lint everything; warnings are errors
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	$(CARGO) clippy -p nylon-ring-host --all-targets -- -D warnings
	$(CARGO) clippy -p nylon-ring-host --all-targets --all-features -- -D warnings
	$(CARGO) clippy $(CLI) --all-targets -- -D warnings
	$(CARGO) clippy -p nylon-ring-sdk --no-default-features -- -D warnings
	$(CARGO) clippy -p nylon-ring-loom-tests --features mutants --all-targets -- -D warnings
	RUSTFLAGS="--cfg nylon_loom" CARGO_TARGET_DIR="$(TARGET_DIR)/loom" \
		$(CARGO) clippy -p nylon-ring-runtime --lib -p nylon-ring-loom-tests --tests -- -D warnings

.PHONY: doc
doc: ## Build the documentation; warnings are errors
	RUSTDOCFLAGS="-Dwarnings" $(CARGO) doc --workspace --no-deps
	RUSTDOCFLAGS="-Dwarnings" $(CARGO) doc -p nylon-ring-host --lib --all-features --no-deps
	RUSTDOCFLAGS="-Dwarnings" $(CARGO) doc -p nylon-ring-sdk --all-features --no-deps

.PHONY: ci
ci: ## Everything that CI runs
	./.ci/run

.PHONY: clean
clean: ## Remove all that was built
	$(CARGO) clean
