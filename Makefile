# Two commands: "make demo" shows the product, "make test" proves it. Both set up .venv by themselves.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := edge sensors models sync dashboard tests bench tools yingke.py

.PHONY: demo test check soak fuzz-wifi lint types unit setup setup-test system lock clean

demo: setup ## a store day on your machine; Ctrl-C stops it
	$(BIN)/yingke demo

test: system setup-test check ## everything CI runs

check: lint types unit

lint:
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)

types:
	$(BIN)/mypy

unit:
	$(BIN)/python -m pytest

soak: setup-test ## eight hours of a box with four cameras and their faults, in some minutes
	$(BIN)/python -m bench.soak --hours 8 --cameras 4

fuzz-wifi: setup-test ## half an hour of hostile Wi-Fi input, guided by coverage; FUZZ_SECONDS=60 for less
	$(BIN)/python -c "import atheris" 2>/dev/null || $(BIN)/python -m pip install -q "atheris>=3"
	mkdir -p .yingke/fuzz-wifi
	$(BIN)/python -m tests.sensors.fuzz_wifi -max_total_time=$(or $(FUZZ_SECONDS),1800) -rss_limit_mb=512 -timeout=10 .yingke/fuzz-wifi

system: ## brokers, database and browser for the tests, from the system's packages
	scripts/install-system-packages

setup: $(VENV)/.run
setup-test: $(VENV)/.test

$(VENV)/.run: requirements.lock pyproject.toml
	scripts/make-venv $(PYTHON) $(VENV) requirements.lock
	touch $@

$(VENV)/.test: requirements-test.lock pyproject.toml $(VENV)/.run
	scripts/make-venv $(PYTHON) $(VENV) requirements-test.lock
	touch $@

# The recommended extras of a box are in the first; OpenVINO, which only some processors gain by, is for the tests.
lock: ## resolve the dependencies anew; needs uv
	uv pip compile pyproject.toml --extra postgres --group build --universal --python-version 3.11 \
	  --generate-hashes --no-annotate --no-header -o requirements.lock
	uv pip compile pyproject.toml --all-extras --group build --group test -c requirements.lock --universal --python-version 3.11 \
	  --generate-hashes --no-annotate --no-header -o requirements-test.lock

clean:
	rm -rf $(VENV) .yingke build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
