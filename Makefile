# vitviz: `make help` lists the targets.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
ARGS   ?=
WORKERS ?= 4

.DEFAULT_GOAL := help
.PHONY: help run test test-fast test-all lint format bench load screenshots digits lock audit clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(VENV)/.installed ## install the requirements and start the app
	$(BIN)/streamlit run app.py $(ARGS)

test: lint ## lint, then run all tests, including browser tests (ARGS for pytest, WORKERS processes)
	VITVIZ_BROWSER="$$(scripts/find_browser.sh)" && export VITVIZ_BROWSER && $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

test-fast: lint ## lint, then run the fast tests, without a browser (less than three minutes)
	$(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile --ignore tests/browser -m "not slow" $(ARGS)

test-all: ARGS += --all
test-all: test ## run all tests, with every timm architecture at full width (about 8 GB of memory)

lint: $(VENV)/.installed-dev node_modules/.installed ## check style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/node node_modules/eslint/bin/eslint.js .
	find vitviz benchmarks -name '*.js' | xargs -n 1 -P 4 $(BIN)/node --check

format: $(VENV)/.installed-dev ## fix style automatically
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.installed-dev ## print the benchmarks
	VITVIZ_BROWSER="$$(scripts/find_browser.sh)" && export VITVIZ_BROWSER && $(BIN)/python -m benchmarks

load: $(VENV)/.installed-dev ## print the waiting times of thirty users, of a class of thirty, and of newcomers during slow work
	$(BIN)/python -m benchmarks users pupils newcomers

screenshots: $(VENV)/.installed-dev ## retake the README's screenshots
	VITVIZ_BROWSER="$$(scripts/find_browser.sh)" && export VITVIZ_BROWSER && $(BIN)/python -m scripts.screenshots

digits: $(VENV)/.installed-dev ## retrain the digits classifier
	$(BIN)/python -m scripts.train_digits

lock: $(VENV)/.installed ## write the package versions of .venv, with hashes, to requirements/lock.txt
	scripts/container_steps.sh lock $(BIN)/python

audit: $(BIN)/python ## look up the packages of requirements/lock.txt in a database of vulnerabilities (needs the network)
	PYTHON=$(BIN)/python scripts/container_steps.sh audit

clean: ## remove the virtual environment and caches
	rm -rf $(VENV) node_modules .pytest_cache .ruff_cache build *.egg-info

# The stamp files are newer than the requirements, so a second call does nothing.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "vitviz needs Python 3.11 or newer; set PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: requirements.txt requirements/library.txt requirements/app.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet -r requirements.txt
	@touch $@

$(VENV)/.installed-dev: requirements-dev.txt requirements.txt $(wildcard requirements/*.txt) | $(BIN)/python
	@# most installed modules are never imported: compiling all of them would take longer than the tests
	$(BIN)/python -m pip install --quiet --no-compile -r requirements-dev.txt
	@touch $@ $(VENV)/.installed

node_modules/.installed: package.json package-lock.json | $(VENV)/.installed-dev
	$(BIN)/npm ci --silent --ignore-scripts
	@touch $@
