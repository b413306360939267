# vitviz: `make help` lists the targets.
PYTHON ?= python3
VENV   := .venv
PEERS  := .venv-peers
BIN    := $(VENV)/bin
ARGS   ?=
# not `?=`, because environments of shells and package managers also have variables of these names
HOST   = 127.0.0.1
PORT   =
WORKERS ?= 4
MINUTES ?= 5
# Where it is set, as in images of containers, each of the many programs that tests start would compile torch again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run test test-fast test-all fuzz lint format bench bench-peers load docs screenshots digits lock audit clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(VENV)/.installed ## install the requirements and start the app, for this machine (HOST=0.0.0.0 for the network, PORT, ARGS)
	$(BIN)/python -m vitviz.cli app --address $(HOST) $(if $(PORT),--port $(PORT)) -- $(ARGS)

test: lint ## lint, then run all tests, including browser tests (ARGS for pytest, WORKERS processes)
	VITVIZ_BROWSER="$$(scripts/find_browser.sh)" && export VITVIZ_BROWSER && $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

test-fast: lint ## lint, then run the fast tests, without a browser (less than three minutes)
	$(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile --ignore tests/browser -m "not slow" $(ARGS)

test-all: override ARGS += --all
test-all: $(VENV)/.installed-all test ## run all tests, with every timm architecture at full width (about 8 GB of memory), Firefox and JupyterLab

fuzz: $(VENV)/.installed-dev ## read broken files, links and messages drawn at random (MINUTES altogether, 5 by default)
	VITVIZ_FUZZ_MINUTES=$(MINUTES) $(BIN)/python -m pytest tests/fuzz --hypothesis-profile fuzz $(ARGS)

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

bench-peers: $(PEERS)/.installed ## print a comparison with other tools, which are installed apart in .venv-peers
	$(PEERS)/bin/python -m benchmarks.peers $(ARGS)

load: $(VENV)/.installed-dev ## print the waiting times and memory of thirty users, of a class of thirty, of newcomers during slow work, and of hovering meanwhile
	VITVIZ_BROWSER="$$(scripts/find_browser.sh)" && export VITVIZ_BROWSER && $(BIN)/python -m benchmarks users uploads pupils newcomers hovering

docs: $(VENV)/.installed-dev ## build the documentation site, with warnings as errors, and check its links
	$(BIN)/python -m scripts.documents.site

screenshots: $(VENV)/.installed-dev ## retake the pictures of the README and the guides, and the animation
	VITVIZ_BROWSER="$$(scripts/find_browser.sh)" && export VITVIZ_BROWSER && $(BIN)/python -m scripts.documents.screenshots

digits: $(VENV)/.installed-dev ## retrain the digits classifier
	$(BIN)/python -m scripts.train_digits

lock: $(VENV)/.installed ## write the package versions of .venv, with hashes, to requirements/lock.txt
	scripts/container_steps.sh lock $(BIN)/python

audit: $(BIN)/python ## look up the packages of requirements/lock.txt in a database of vulnerabilities (needs the network)
	PYTHON=$(BIN)/python scripts/container_steps.sh audit

clean: ## remove the virtual environment and caches
	rm -rf $(VENV) $(PEERS) node_modules .pytest_cache .ruff_cache .hypothesis build *.egg-info

# The stamp files are newer than the requirements, so a second call does nothing.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "vitviz needs Python 3.11 or newer; set PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: requirements.txt $(addprefix requirements/,library.txt app.txt data.txt) | $(BIN)/python
	$(BIN)/python -m pip install --quiet -r requirements.txt
	@touch $@

$(VENV)/.installed-dev: requirements-dev.txt requirements.txt \
  $(filter-out requirements/peers.txt requirements/exhaustive.txt,$(wildcard requirements/*.txt)) | $(BIN)/python
	@# most installed modules are never imported: compiling all of them would take longer than the tests
	$(BIN)/python -m pip install --quiet --no-compile -r requirements-dev.txt
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-all: requirements/exhaustive.txt $(VENV)/.installed-dev
	$(BIN)/python -m pip install --quiet --no-compile -r requirements/exhaustive.txt
	@touch $@

# Other tools run with the torch, timm, captum and torch-cam of .venv, whose packages a .pth file adds.
# fast-vit-rollout would install a second OpenCV over the one of grad-cam.
$(PEERS)/.installed: requirements/peers.txt $(VENV)/.installed-dev
	$(BIN)/python -m venv --clear $(PEERS)
	$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' > \
	  "$$($(PEERS)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/project.pth"
	$(PEERS)/bin/python -m pip install --quiet --no-compile -r requirements/peers.txt
	$(PEERS)/bin/python -m pip install --quiet --no-compile --no-deps "fast-vit-rollout>=0.1.1,<0.2"
	@touch $@

node_modules/.installed: package.json package-lock.json | $(VENV)/.installed-dev
	$(BIN)/npm ci --silent --ignore-scripts
	@touch $@
