# Two commands to know: `make demo` and `make test`. Both build .venv first, which needs only
# Python >= 3.11 and make; everything they install is pinned, with hashes, in requirements/.

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& { echo "$$p"; break; }; done)
SEED ?= 7
BIN := .venv/bin
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check --no-input
LOCKED := $(PIP) --require-hashes --requirement

.DEFAULT_GOAL := help
.PHONY: help demo test lint format docs captured measure doctor lock clean

help:
	@echo 'make demo      the tour: one order, era by era, over a good wire and a bad one'
	@echo 'make test      lint, types and all tests (SEED=7: the same seed, the same faults)'
	@echo 'make docs      the site, on http://127.0.0.1:8000'
	@echo 'make captured  what the site shows of real runs, recorded anew'
	@echo 'make measure   the figures, quickly; `.venv/bin/eras measure --help` has the long runs'
	@echo 'make doctor    what this machine can do, what it cannot, how to mend it'
	@echo 'make format    ruff rewrites the layout; make lint only looks'
	@echo 'make clean     removes .venv and whatever tools left behind'

demo: .venv/mesh
	@$(BIN)/eras demo

doctor: .venv/base
	@$(BIN)/eras doctor

lint: .venv/dev
	@echo 'ruff: style'; $(BIN)/ruff check --quiet .
	@echo 'ruff: layout'; $(BIN)/ruff format --check --quiet . \
		|| { $(BIN)/ruff format --check .; echo 'mend with: make format'; exit 1; }
	@echo 'mypy: types'; $(BIN)/mypy --no-error-summary

format: .venv/dev
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format .

test: lint
	@echo 'pytest: all tests, three at a time (they wait more than they compute), seed $(SEED)'
	@$(BIN)/python -m pytest --quiet -n 3 --seed $(SEED)

docs: .venv/dev
	@$(BIN)/python -m lab.docs serve

captured: .venv/dev
	@$(BIN)/python -m lab.docs generate

measure: .venv/measure
	@# 2: this machine lacks what it takes, which has been said; the others can still be had
	@for name in $$($(BIN)/eras measure --names); do \
		$(BIN)/eras measure $$name --quick || [ $$? -eq 2 ] || exit 1; done

# A stamp per layer: what is installed already is not looked at again until its lock changes.
.venv/made:
	@test -n '$(PYTHON)' || { echo 'Seven Eras needs Python 3.11 or newer with its venv module,' \
		'and found none (Debian and Ubuntu: apt install python3 python3-venv).' \
		'Another place? make PYTHON=/path/to/python3.12'; exit 1; } >&2
	@echo 'setting up: .venv ($(PYTHON))'
	@$(PYTHON) -m venv --clear .venv
	@touch $@

.venv/base: requirements/base.txt pyproject.toml | .venv/made
	@echo 'setting up: what the demo needs'
	@$(LOCKED) requirements/base.txt
	@# compat: a plain path entry, so that an era added later is importable at once
	@$(PIP) --no-deps --no-build-isolation --config-settings editable_mode=compat --editable .
	@touch $@

.venv/mesh: requirements/mesh.txt .venv/base
	@echo 'setting up: what era 6 speaks with'
	@$(LOCKED) requirements/mesh.txt
	@touch $@

.venv/dev: requirements/dev.txt .venv/mesh
	@echo 'setting up: what tests and docs need (about half a minute, once)'
	@$(LOCKED) requirements/dev.txt
	@touch $@

.venv/measure: requirements/measure.txt .venv/dev
	@echo 'setting up: the peers that eras 1 and 5 are measured against'
	@$(LOCKED) requirements/measure.txt
	@touch $@

# One resolution for all Pythons and systems; setuptools is in it because it builds the project.
LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-annotate --no-header pyproject.toml -
lock:
	@command -v uv >/dev/null || { echo 'make lock needs uv (pip install uv)' >&2; exit 1; }
	@echo 'setuptools>=77' | $(LOCK) --output-file requirements/base.txt
	@echo 'setuptools>=77' | $(LOCK) --constraint requirements/base.txt \
		--extra mesh --output-file requirements/mesh.txt
	@echo 'setuptools>=77' | $(LOCK) --constraint requirements/mesh.txt \
		--extra mesh --extra test --extra docs --output-file requirements/dev.txt
	@echo 'setuptools>=77' | $(LOCK) --constraint requirements/dev.txt \
		--extra mesh --extra measure --output-file requirements/measure.txt

clean:
	@rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis build site *.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
