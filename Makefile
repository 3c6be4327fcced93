# make demo   install the product into .venv and annotate the clip that it carries
# make test   everything that CI checks
# make lint   style and types only
# make clean  take away what these made

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
SOURCES := fkp_live train export tests benchmarks examples

.PHONY: demo test lint clean

demo: $(VENV)/product.stamp
	$(BIN)/fkp-live --demo --headless --overwrite \
		--out demo_annotated.mp4 --csv demo_annotated.csv --jsonl demo_annotated.jsonl
	@echo "Open $(CURDIR)/demo_annotated.mp4; the numbers are in demo_annotated.csv and demo_annotated.jsonl beside it."

test: lint
	$(BIN)/python -m pytest

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy

# The product alone: without torch, onnx and pandas.
$(VENV)/product.stamp: setup.cfg pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet -c constraints.txt -e .
	touch $@

$(VENV)/dev.stamp: $(VENV)/product.stamp
	$(PIP) install --quiet -c constraints.txt -e '.[train,dev]'
	touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache demo_annotated.*
	find $(SOURCES) -name __pycache__ -type d -prune -exec rm -rf {} +
