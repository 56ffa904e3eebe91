# Every verb sets up what it needs first; nothing has to be installed by hand but Python 3.11+ and make.
SHELL := /bin/bash
PYTHON ?= python3
QUESTION ?=
export PYTHONPATH := $(CURDIR):$(CURDIR)/layers/core/python
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION := 1
RUN := .venv/bin/python -m

.DEFAULT_GOAL := help
.PHONY: help setup demo up down test check fix synth bench requirements docs clean

help: ## List the verbs
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | awk -F'\t' '{printf "  make %-13s %s\n", $$1, $$2}'

setup: ## Install everything into this folder; start nothing
	@$(PYTHON) tools/bootstrap.py

demo: setup ## Deploy the twin, ask a question (QUESTION="…"), show the stream, stop
	@$(RUN) tools.demo $(if $(QUESTION),--question "$$DEMO_QUESTION")
demo: export DEMO_QUESTION = $(QUESTION)

up: setup ## Start the twin with the chat page and keep it running
	@$(RUN) tools.mangactl twin up

down: setup ## Stop the twin
	@$(RUN) tools.mangactl twin down

test: setup ## Run every test; brings its own browser and twin
	@$(RUN) tests.browser.chromium
# The twin alone on the machine; then everything else on two cores.
	@status=0; \
	$(RUN) pytest tests/e2e || status=1; \
	$(RUN) pytest tests --ignore=tests/e2e -n 2 || status=1; \
	exit $$status

check: setup ## Judge: format, lint, types, generated files, templates of every environment
	@ruff format --check --quiet . || { echo "check: run 'make fix'"; exit 1; }
	@ruff check --quiet .
	@pyright --level error
	@$(MAKE) --no-print-directory synth
	@$(RUN) tools.generate --check
	@cfn-lint --config-file .cfnlintrc.yaml
	@echo "check: clean"

fix: setup synth ## Mend what can be mended: format, lint, generated files
	@ruff check --quiet --fix . ; ruff format --quiet .
	@$(RUN) tools.generate

synth: setup ## Render the templates of every environment, and of prod as lean, into cdk.out/
	@$(RUN) tools.synth

bench: setup ## Measure; prints ratios against a baseline of the same run
	@$(RUN) tools.bench

requirements: setup ## Which requirements the last test run proved, and which not
	@$(RUN) tools.requirements

docs: setup synth ## Regenerate the generated docs
	@$(RUN) tools.generate

clean: setup ## Stop the twin and remove everything that was built
	@$(RUN) tools.mangactl twin down || true
	@rm -rf build cdk.out .twin test-results
