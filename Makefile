# Lockgate. Every target sets itself up: a virtual environment from pinned, hashed requirements. Needs Python 3.11+, git and make.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PORT      ?= 7070
DATA_PORT ?= 7080
LOCK   := requirements/dev.txt

.DEFAULT_GOAL := help
.PHONY: help demo test torch check format up bench bench-serve lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-11s %s\n", $$1, $$2}'

$(VENV)/.demo: requirements/demo.txt pyproject.toml
	@$(PYTHON) tools/setup.py $(VENV) requirements/demo.txt
	@touch $@

$(VENV)/.dev: requirements/dev.txt pyproject.toml
	@$(PYTHON) tools/setup.py $(VENV) requirements/dev.txt
	@touch $@ $(VENV)/.demo

demo: $(VENV)/.demo ## tell the whole story on the flights of 2013 (report in .demo/report.json)
	@$(BIN)/python -m demo --port $(PORT) --data-port $(DATA_PORT)

test: check ## run every test and check that CI runs
	@$(BIN)/python -m pytest -n 2 --dist worksteal

$(VENV)/.torch: $(VENV)/.dev requirements/torch.txt
	@$(PYTHON) tools/setup.py $(VENV) requirements/torch.txt
	@touch $@

torch: $(VENV)/.torch ## install PyTorch for CPUs (Linux, x86-64, Python 3.11), without which its tests are skipped

check: $(VENV)/.dev ## lint, types, floors
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

format: $(VENV)/.dev ## format the code and mend what lint can mend
	@$(BIN)/ruff check --fix-only -q .
	@$(BIN)/ruff format .

up: $(VENV)/.demo ## start a server on the home .lockgate: pages on http://127.0.0.1:7070, inference on :7080 (PORT=, DATA_PORT= for others)
	@$(BIN)/lockgate up --port $(PORT) --data-port $(DATA_PORT)

bench: $(VENV)/.dev ## run the benchmarks
	@$(BIN)/python -m benchmarks

bench-serve: $(VENV)/.dev ## measure the data plane beside other model servers (about 2 hours; needs wrk; environments in .bench; ARGS=)
	@$(BIN)/python -m benchmarks.serving $(ARGS)

lock: $(VENV)/.dev ## compile the pinned, hashed requirements anew
	@$(PYTHON) tools/lock.py

clean: ## remove what the targets made
	rm -rf $(VENV) .bench .demo .lockgate .mypy_cache .ruff_cache .pytest_cache .hypothesis
