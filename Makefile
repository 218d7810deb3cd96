# The two commands for newcomers are `make demo` and `make test`.
# PYTHON is the interpreter to build for, VENV where its environment is made.
PYTHON ?= python3
VENV ?= .venv

.PHONY: demo test setup pytest slow lint cpython leaks bench bench-plot bench-gate bench-rust fuzz clean

demo: setup
	$(VENV)/bin/python examples/demo.py

# All quick tests. The extension has no Rust tests: it needs a running interpreter, so pytest tests it.
test: setup
	cargo test --workspace --exclude halfsour-python --all-features
	$(MAKE) pytest

setup:
	@tools/setup "$(PYTHON)" "$(VENV)"

pytest:
	$(VENV)/bin/python -m pytest $(PYTEST)

# Every test, the slow ones too: random graphs and broken pickles by the thousand.
slow: setup
	HALFSOUR_SLOW=1 $(MAKE) pytest

# The extension's documentation is for those who work on it, so it shows the private items.
lint: export PYO3_PYTHON = $(abspath $(VENV))/bin/python
lint: export RUSTDOCFLAGS = -D warnings
lint: setup
	cargo fmt --all --check
	cargo fmt --check --manifest-path bench/rust/Cargo.toml
	cargo fmt --check --manifest-path fuzz/Cargo.toml
	cargo clippy --workspace --all-targets --all-features --quiet -- -D warnings
	cargo check --package halfsour --no-default-features --quiet
	cargo check --package halfsour --no-default-features --features std --quiet
	cargo doc --workspace --exclude halfsour-python --all-features --no-deps --quiet
	RUSTDOCFLAGS="$$RUSTDOCFLAGS -A rustdoc::private-intra-doc-links" \
	    cargo doc --package halfsour-python --document-private-items --no-deps --quiet
	$(VENV)/bin/ruff check
	$(VENV)/bin/mypy

# CPython's own tests of pickle, and of what uses it, on our extension in the place of the interpreter's `_pickle`.
extension = $$($(VENV)/bin/python -c 'import halfsour._pickle; print(halfsour._pickle.__file__)')
cpython: setup
	$(VENV)/bin/python tests/cpython/suites.py --python "$(PYTHON)" --extension "$(extension)"

# With PYTHON a debug build of CPython: its reference leak hunt.
leaks: setup
	$(VENV)/bin/python tests/cpython/suites.py --leaks --python "$(PYTHON)" --extension "$(extension)"

# The speed of an unoptimised Python is no yardstick: without PYTHON, the first optimised one that is found.
bench_python = $(if $(filter file,$(origin PYTHON)),$(or $(shell \
    python3 tools/cpythons.py --optimised | sed -n '1s/^[^ ]* //p'),$(PYTHON)),$(PYTHON))
bench_venv = $(if $(filter file,$(origin VENV)),.venvs/bench,$(VENV))

# For example: make bench BENCH="--only plain --only 'plain,*' --no-peers". --help tells the rest.
bench:
	@tools/setup "$(bench_python)" "$(bench_venv)"
	@$(bench_venv)/bin/python tools/peers.py
	$(bench_venv)/bin/python -m bench --json build/bench/results.json --plot build/bench $(BENCH)

# The README's plot, light and dark; on an idle machine, five minutes.
bench-plot:
	@tools/setup "$(bench_python)" "$(bench_venv)"
	$(bench_venv)/bin/python -m bench --no-peers --no-variants --plot docs/speed

# Instructions under callgrind, held against bench/baseline.json; UPDATE=1 writes that instead.
bench-gate:
	@tools/setup "$(bench_python)" "$(bench_venv)"
	$(bench_venv)/bin/python -m bench.gate $(if $(UPDATE),--update)

# The halfsour crate against CPython, serde-pickle, pickled, serde_json and rmp-serde; on an idle machine, ten minutes.
bench-rust:
	@tools/setup "$(bench_python)" "$(bench_venv)"
	$(bench_venv)/bin/python -m bench.rust --json build/bench/rust.json $(BENCH)

# Fuzzes the crate, each target for so many seconds; TARGETS names some of them.
SECONDS ?= 60
fuzz:
	tools/fuzz $(SECONDS) $(TARGETS)

clean:
	rm -rf .venv .venvs build target python/halfsour/_pickle.*.so
