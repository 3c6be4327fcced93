# make demo         install the product into .venv and annotate the clip that it carries
# make test         lint, type-check and test
# make web          fetch what the page of fkp-live web needs (npm) into fkp_live/server/static/vendor
# make lint         style and types only
# make test-lowest  the product's tests on the lowest versions that setup.cfg allows, in .venv-lowest
# make test-newest  the product's tests on the newest versions, without constraints, in .venv-newest
# make mutants      change central constants one by one; some test must fail for each
# make fuzz         damaged files, odd values and signals for hours: make fuzz SEED=7 COUNT=3000
# make docs         the documentation as a site, in site/; a broken link or docstring fails
#                   (runs the notebook: brings PyTorch, and takes five minutes on two cores the first time)
# make clean        remove what these made

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
PIP := $(BIN)/python -m pip --disable-pip-version-check
# uv takes a sixth of pip's processor time. It does not read pip's settings: where it fails, pip installs.
LINKS := $(or $(PIP_FIND_LINKS),$(shell $(PYTHON) -m pip config get global.find-links 2>/dev/null))
INSTALL = $(BIN)/uv pip install --quiet --python $(BIN)/python $(addprefix --find-links ,$(LINKS)) -c constraints.txt -e '$(WHAT)' || \
	$(PIP) install --quiet -c constraints.txt -e '$(WHAT)'
SOURCES := fkp_live train export tests benchmarks examples docs web/vendor.py setup.py

.PHONY: demo test web lint docs test-lowest test-newest mutants fuzz clean

demo: $(VENV)/product.stamp
	$(BIN)/fkp-live --demo --headless --overwrite \
		--out demo_annotated.mp4 --csv demo_annotated.csv --jsonl demo_annotated.jsonl
	@echo "Open $(CURDIR)/demo_annotated.mp4; the numbers are in demo_annotated.csv and demo_annotated.jsonl beside it."
	@echo "For the command fkp-live in this terminal: . $(BIN)/activate"

test: lint
	$(BIN)/python -m pytest -n auto

VENDORED := fkp_live/server/static/vendor/ort.wasm.bundle.min.mjs
web: $(VENDORED)
$(VENDORED): web/package-lock.json web/vendor.py | $(VENV)/product.stamp
	@command -v npm >/dev/null || { echo "make web needs npm, the package manager of node.js: apt-get install npm, or https://nodejs.org" >&2; exit 1; }
	npm ci --prefix web --ignore-scripts --no-audit --no-fund
	$(BIN)/python web/vendor.py

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy

docs: $(VENV)/docs.stamp
	$(BIN)/python -m sphinx --builder html --fail-on-warning --keep-going --quiet docs site
	@echo "Open $(CURDIR)/site/index.html."

# Run once, by `make test`: train/ and export/ need torch, whose lowest version is a download of gigabytes; the others ask
# nothing of versions, but of processes, signals, windows and the system.
ONCE := train export benchmarks browser docs fuzz mutants test_examples.py test_layout.py test_notebook.py test_package.py \
	test_privacy.py test_types.py test_asserts.py plots/test_report_browser.py sources/test_reopening.py \
	$(patsubst %,batch/test_%.py,claims cores items processes records work) \
	$(patsubst %,commands/test_%.py,batch bench cameras cli_window completion event_arguments models numbers picture_edits progress recorder) \
	$(patsubst %,commands/test_%.py,replay send signals standard_streams summary version viewer) \
	$(patsubst %,server/test_%.py,address guard hostile live_page newest overlay_numbers site site_server web_page web_table)
test-lowest: RESOLUTION := lowest-direct
test-newest: RESOLUTION := highest
test-lowest test-newest: $(VENV)/uv.stamp
	$(BIN)/uv venv --quiet --allow-existing --seed --python $(PYTHON) .venv-$(@:test-%=%)
	$(BIN)/uv pip install --quiet --python .venv-$(@:test-%=%)/bin/python --resolution $(RESOLUTION) -e '.[dev]'
	.venv-$(@:test-%=%)/bin/python -m pytest -n auto $(addprefix --ignore tests/,$(ONCE))

mutants: $(VENV)/dev.stamp
	$(BIN)/python -m tests.mutants

SEED ?= 0
COUNT ?= 1000
fuzz: $(VENV)/dev.stamp
	$(BIN)/python -m tests.fuzz --seed $(SEED) --count $(COUNT)

# The product alone: without torch, onnx and pandas.
$(VENV)/product.stamp: WHAT := .
$(VENV)/product.stamp: setup.cfg pyproject.toml $(VENV)/uv.stamp
	$(INSTALL)
	touch $@

$(VENV)/dev.stamp: WHAT := .[train,notebook,dev]
$(VENV)/dev.stamp: $(VENV)/product.stamp
	$(INSTALL)
	touch $@

$(VENV)/docs.stamp: WHAT := .[train,notebook,docs]
$(VENV)/docs.stamp: $(VENV)/product.stamp
	$(INSTALL)
	touch $@

$(VENV)/uv.stamp: constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet -c constraints.txt uv || echo "no uv: pip installs, which takes longer; make test-lowest and test-newest need it" >&2
	touch $@

clean:
	rm -rf $(VENV) .venv-lowest .venv-newest build dist site *.egg-info .mypy_cache .pytest_cache .ruff_cache demo_annotated.*
	rm -rf web/node_modules fkp_live/server/static/vendor
	find $(SOURCES) -name __pycache__ -type d -prune -exec rm -rf {} +
