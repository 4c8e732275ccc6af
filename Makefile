# `make` says what there is. It needs Python 3.11 or newer; all that it installs goes into .venv.

.DEFAULT_GOAL := help
.PHONY: help demo ui test live test-live lint bench clean

IN_VENV := .venv/bin/python
NEW_ENOUGH := import sys, venv; sys.exit(sys.version_info < (3, 11))
PYTHONS := python3 python3.13 python3.12 python3.11 python3.14 python
PIP := $(IN_VENV) -m pip install --disable-pip-version-check
COMPILE := import compileall, sysconfig; compileall.compile_dir(sysconfig.get_path("purelib"), quiet=2, workers=0)
TESTED := test,celery,kubernetes
MEASURED := bench,test,dagster

# A stamp says that .venv holds what pyproject.toml asks for; without a Python that runs, it says nothing.
STALE := $(shell $(IN_VENV) -c '$(NEW_ENOUGH)' 2>/dev/null || rm -f .venv/installed*)

# Whatever this shell says, what is started hundreds of times is compiled once.
unexport PYTHONDONTWRITEBYTECODE

# $(1): what to install. Some names of Python are only placeholders, so each is run before it is believed. The pip that
# comes with Python takes twice as long as a new one, and compiles on one core.
define set_up
@set -e; \
if ! $(IN_VENV) -c '$(NEW_ENOUGH)' 2>/dev/null; then \
	found=; \
	for python in "$(PYTHON)" $(PYTHONS); do \
		if [ -n "$$python" ] && "$$python" -c '$(NEW_ENOUGH)' 2>/dev/null; then found=$$python; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
		echo "Python 3.11 or newer is needed, and found is: $$(python3 --version 2>&1 || true)" >&2; \
		echo "install one, or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11" >&2; \
		exit 1; \
	fi; \
	echo "setting up .venv with $$("$$found" --version)"; \
	rm -rf .venv; \
	"$$found" -m venv .venv || { rm -rf .venv; exit 1; }; \
fi; \
echo "installing '$(1)' into .venv: a minute or two, once"; \
$(PIP) --quiet --upgrade pip; \
$(PIP) --quiet --quiet --no-compile -e '$(1)'; \
$(IN_VENV) -c '$(COMPILE)'
endef

help:  ## say what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-7s %s\n", $$1, $$2}' Makefile

demo: .venv/installed  ## generate events, load them into demo/warehouse.duckdb, show what is there
	@$(IN_VENV) -m loader demo

ui: .venv/installed-ui  ## Dagster on a project whose files keep arriving; ARGS="--port 3001" chooses
	@$(IN_VENV) -m dagster_project.demo $(ARGS)

test: .venv/installed-test  ## run every test; ARGS="-k types" chooses
	@$(IN_VENV) -m pytest $(ARGS)

live: .venv/installed-test  ## the contract suite on real accounts: LIVE_POSTGRES=settings.toml (see the README) names one
	@$(IN_VENV) -m pytest tests/contract/test_warehouse.py tests/contract/test_same_everywhere.py tests/contract/test_disturbed.py $(ARGS)

lint: .venv/installed-test  ## ruff and mypy
	@$(IN_VENV) -m ruff check
	@$(IN_VENV) -m ruff format --check
	@$(IN_VENV) -m mypy

test-live: live

bench: .venv/installed-bench  ## compare with dlt and with DuckDB alone; ARGS="--help" lists the ways
	@$(IN_VENV) tests/benchmarks $(ARGS)

clean:  ## remove all that was made here: .venv, the demo, caches
	@rm -rf .venv demo build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis ./*.egg-info
	@find loader dagster_project sql tests -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/installed: pyproject.toml
	$(call set_up,.)
	@touch $@

.venv/installed-ui: pyproject.toml
	$(call set_up,.[dagster])
	@touch .venv/installed $@

.venv/installed-test: pyproject.toml
	$(call set_up,.[$(TESTED)])
	@$(IN_VENV) tests/standins/snowflake/environment.py
	@touch .venv/installed .venv/installed-ui $@

.venv/installed-bench: pyproject.toml
	$(call set_up,.[$(MEASURED)])
	@touch .venv/installed $@
