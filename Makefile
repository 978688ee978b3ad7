# Two commands: `make demo` and `make test`. Each makes the environments it needs.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

# The first of these that is at least 3.10. Another one: make PYTHON=/path/to/python3
PYTHONS := python3 python3.14 python3.13 python3.12 python3.11 python3.10 python
RECENT := import sys; sys.exit(sys.version_info < (3, 10))
PYTHON ?= $(shell for python in $(PYTHONS); do \
	if $$python -c '$(RECENT)' 2>/dev/null; then command -v $$python; break; fi; done)

# Nothing of the caller's environment may leak into ours.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV
export PIP_DISABLE_PIP_VERSION_CHECK := 1

DEV := .venv/bin
MELTANO := .venvs/meltano/bin/meltano
LOADER_PYTHON := .meltano/loaders/target-utility-duckdb/venv/bin/python
PORT ?= 8765
PYTEST_ARGS ?=
CASES ?=

.PHONY: help
help: ## Show what there is to make
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: demo
demo: .meltano/.installed .venvs/dbt/.installed ## Both providers from a local sandbox into DuckDB, twice; models and a report
	@$(LOADER_PYTHON) -m scripts.demo

.PHONY: picture
picture: .venv/.installed ## README's picture of the report, after `make demo`
	@$(DEV)/python -m scripts.picture

.PHONY: test
test: check .meltano/.installed .venvs/dbt/.installed chromium promtool ## Everything `check` does, and all tests
	$(DEV)/pytest --numprocesses=auto --dist=loadfile $(PYTEST_ARGS)

.PHONY: coverage
coverage: .venv/.installed .meltano/.installed .venvs/dbt/.installed chromium promtool ## All tests once more, and which lines they miss; a third slower
	$(DEV)/pytest --numprocesses=auto --dist=loadfile --cov --cov-report=term-missing $(PYTEST_ARGS)

.PHONY: check
check: .venv/.installed ## Format, lint, types, imports
	$(DEV)/ruff format --check .
	$(DEV)/ruff check .
	$(DEV)/mypy
	$(DEV)/lint-imports --no-logo

.PHONY: bench
bench: .meltano/.installed .venvs/dlt/.installed .venv/.installed ## This tap beside a plain one: rows/s, CPU, memory (CASES=… for some)
	@$(DEV)/python -m benchmarks $(CASES)

.PHONY: airbyte
airbyte: .venv/.installed ## The Airbyte connector: airbyte-cdk's standard tests, the Builder's manifest, and PyAirbyte into DuckDB
	$(DEV)/python -m tests.airbyte.standard.run
	$(DEV)/python -m tests.airbyte.builder
	$(DEV)/python -m tests.airbyte.pyairbyte.run

.PHONY: docs
docs: .venvs/docs/.installed ## The pages of docs/ as a site in build/docs; a dead link fails
	.venvs/docs/bin/python -m sphinx -b html -W --keep-going -q docs build/docs
	@echo "build/docs/index.html"

.PHONY: spark
spark: .venvs/spark/.installed ## The Spark source under PySpark, here and with two workers (needs Java 17)
	.venvs/spark/bin/python -m pytest --confcutdir=tests/spark tests/spark/under_spark.py $(PYTEST_ARGS)

.PHONY: fuzz
fuzz: .venvs/atheris/.installed ## Both normalizes, fuzzed by coverage (FUZZ_SECONDS=25); findings under /tmp/fuzz-found
	@PYTHONPATH=. .venvs/atheris/bin/python -m tests.hostile.fuzz.atheris_driver

.PHONY: format
format: .venv/.installed ## Let ruff format the code and mend what it can
	$(DEV)/ruff format .
	$(DEV)/ruff check --fix .

.PHONY: sandbox
sandbox: .venv/.installed ## Both APIs on http://127.0.0.1:8765, until Ctrl-C (PORT=… for another port)
	$(DEV)/utility-intervals sandbox --port $(PORT)

.PHONY: clean
clean: ## Remove the environments and caches; Meltano's state and output/ stay
	rm -rf .venv .venvs .meltano/.installed .meltano/extractors .meltano/loaders
	rm -rf build dist .coverage .coverage.* .*_cache .hypothesis

# Before the tests, which run side by side: Debian's packages are installed one at a time.
.PHONY: chromium
chromium: .venv/.installed
	@$(DEV)/python -m scripts.browser

.PHONY: promtool
promtool:
	@bash tests/docs/promtool.sh >/dev/null || echo "There is no promtool: its tests are left out."

# --- environments ----------------------------------------------------------------------

# $(call venv,FOLDER): a virtual environment with a recent pip, or a sentence that helps.
define venv
@if test -z "$(PYTHON)"; then \
	echo "No Python 3.10 or newer was found. Install one, or name it: make PYTHON=/path/to/python3" >&2; \
	exit 1; fi
@if ! $(PYTHON) -c '$(RECENT)'; then \
	echo "$(PYTHON) is not Python 3.10 or newer. Name another: make PYTHON=/path/to/python3" >&2; \
	exit 1; fi
@echo "Making $(1) with $$($(PYTHON) --version)"
@rm -rf $(1)
@if ! $(PYTHON) -m venv $(1) >$(1).log 2>&1; then \
	cat $(1).log >&2; rm -rf $(1) $(1).log; \
	echo "$(PYTHON) cannot make virtual environments. Install its venv module" \
	"(Debian, Ubuntu: apt install python3-venv), or name another: make PYTHON=/path/to/python3" >&2; \
	exit 1; fi
@rm -f $(1).log
@$(1)/bin/python -m pip install -qq --upgrade pip
endef

# $(call apart,NAME,TITLE,PACKAGES): an environment of its own, in .venvs/NAME.
define apart
@mkdir -p .venvs
$(call venv,.venvs/$(1))
@echo "Installing $(2) into .venvs/$(1)"
@.venvs/$(1)/bin/python -m pip install -qq $(3)
@touch $@
endef

# The development environment: the package as it lies here, and the `dev` group.
.venv/.installed: pyproject.toml
	$(call venv,.venv)
	@echo "Installing the package and its development tools into .venv"
	@.venv/bin/python -m pip install -qq --editable . --group dev
	@touch $@

# Meltano has many dependencies, so it lives apart; the tap and the loaders do, too.
FOR_MELTANO := 'meltano>=4.4,<5'
.venvs/meltano/.installed:
	$(call apart,meltano,Meltano,$(FOR_MELTANO))

# dbt pins what others pin otherwise, so it lives apart, too.
FOR_DBT := 'dbt-core>=1.11,<1.12' 'dbt-duckdb>=1.11,<1.12' 'dbt-postgres>=1.11,<1.12'
.venvs/dbt/.installed:
	$(call apart,dbt,dbt,$(FOR_DBT))

# Sphinx with MyST: of what reads Markdown, the one that is kept up (decision 19).
FOR_DOCS := 'sphinx>=8.1,<10' 'myst-parser>=4' 'furo>=2025.12'
.venvs/docs/.installed:
	$(call apart,docs,Sphinx,$(FOR_DOCS))

# PySpark weighs 500 MB and wants Java, so it lives apart.
FOR_SPARK := --editable '.[spark]' 'deltalake>=1,<2' 'pytest>=9'
.venvs/spark/.installed: pyproject.toml
	$(call apart,spark,PySpark,$(FOR_SPARK))

# A peer of `make bench`; nobody else needs it.
FOR_DLT := --editable '.[duckdb,postgres]' 'dlt[duckdb]>=1.31'
.venvs/dlt/.installed: pyproject.toml
	$(call apart,dlt,dlt,$(FOR_DLT))

# Atheris has no wheels for every Python; where it has none, pip says so and make fails.
FOR_ATHERIS := --editable . --only-binary atheris 'atheris>=3,<4'
.venvs/atheris/.installed: pyproject.toml
	$(call apart,atheris,atheris,$(FOR_ATHERIS))

.meltano/.installed: .venvs/meltano/.installed meltano.yml pyproject.toml
	@echo "Installing the tap and the loaders with Meltano"
	@mkdir -p .meltano
	@MELTANO_CLI_DISABLE_VERSION_CHECK=1 $(MELTANO) --log-level=warning install --clean >.meltano/install.log 2>&1 \
	|| { cat .meltano/install.log >&2; exit 1; }
	@touch $@
