# make run    the API on this machine, until Ctrl-C      make start / make stop   in the background
# make test   every check there is                       make logs                what functions log
# make lock   requirements files from pyproject.toml     make clean               forget all local state
#
# Needs Python 3.13 and make. GATEWAY_PORT=4600 make run takes another port than 4566.

PYTHON ?= python3.13
BIN := .venv/bin
EMULATOR := .local/venv

COMPILE := $(BIN)/uv pip compile --quiet --generate-hashes --universal --python-version 3.13 \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" $(UPGRADE)

.DEFAULT_GOAL := help
.PHONY: help setup run start stop logs token audit openapi test check format lock clean
.SILENT:

help:
	sed -n 's/^# \{0,1\}//p;/^$$/q' Makefile

setup: .venv/ready $(EMULATOR)/ready

run start: setup
	$(BIN)/python -m local $@

stop logs: .venv/ready
	$(BIN)/python -m local $@

# On AWS: python -m cli, which these two run with the settings of the local stack.
token audit: export PYTHONPATH := layers/billing
token: .venv/ready
	$(BIN)/python -m local exec $(BIN)/python -m cli token create --org '$(ORG)' --role '$(ROLE)' \
		--accounts '$(or $(ACCOUNTS),all)' --name '$(or $(NAME),$(ROLE))'

audit: .venv/ready
	$(BIN)/python -m local exec $(BIN)/python -m cli audit --org '$(or $(ORG),demo)'

openapi: .venv/ready
	PYTHONPATH=layers/billing:functions/documents:. $(BIN)/python -m local.openapi

test: check setup
	$(BIN)/python -m local with $(BIN)/pytest $(PYTEST_ARGS)

# What needs no running stack.
check: .venv/ready
	$(call say,format) $(BIN)/ruff format --check --quiet .
	$(call say,lint) $(BIN)/ruff check --quiet .
	$(call say,types) $(BIN)/mypy
	$(call say,imports) PYTHONPATH=layers/billing:. $(BIN)/lint-imports
	$(call say,template) SAM_CLI_TELEMETRY=0 $(BIN)/sam validate --lint

format: .venv/ready
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# make lock keeps the versions that still fit; make lock UPGRADE=--upgrade takes the newest.
lock: .venv/ready
	$(COMPILE) pyproject.toml --group dev --output-file requirements-dev.txt
	$(COMPILE) pyproject.toml --constraint requirements-dev.txt \
		--output-file layers/billing/requirements.txt
	$(COMPILE) --group documents --constraint requirements-dev.txt \
		--output-file functions/documents/requirements.txt
	$(COMPILE) --group local --output-file local/requirements.txt

clean:
	if [ -x $(BIN)/python ]; then $(BIN)/python -m local clean; fi
	rm -rf .aws-sam .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache

.venv/ready: requirements-dev.txt
	$(call environment,.venv,requirements-dev.txt)

$(EMULATOR)/ready: local/requirements.txt .venv/ready
	$(call environment,$(EMULATOR),local/requirements.txt)

say = printf '  %-9s ' $(1) &&

# $(call environment,FOLDER,REQUIREMENTS): uv where it reaches the packages, else pip, which may
# be set up for a mirror that uv knows nothing of.
define environment
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))' 2>/dev/null || { \
		echo 'This project needs Python 3.13, and `$(PYTHON)` is not one.'; \
		echo 'Install it, or say where it is: make PYTHON=/path/to/python3.13 run'; \
		exit 1; }
	printf '  %-9s %s ' python '$(1), from $(2) ...'; \
	began=$$(date +%s); \
	mkdir -p $(1) && $(PYTHON) -m venv $(1) && \
	{ [ -x $(BIN)/uv ] || $(BIN)/pip install --quiet "$$(grep -o '^uv==[0-9.]*' requirements-dev.txt)"; } && \
	{ $(BIN)/uv pip sync --quiet --python $(1)/bin/python $(2) || \
		$(1)/bin/pip install --quiet --require-hashes --requirement $(2); } && \
	touch $(1)/ready && echo "$$(( $$(date +%s) - began )) s"
endef
