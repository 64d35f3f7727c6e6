# make setup  environments, once                         make help                this list
# make run    the API on this machine, until Ctrl-C      make start / make stop   in the background
# make status what runs, and how old its state is        make logs                what functions log
# make test   every check there is                       make check               format, lint, types
# make mail   the mails that were sent here, and the last one, or N=3
# make unit   what needs no deployed stack, in a minute  make format              mend format and lint
# make one T=tests/…::test_x   one test, the quickest    make nightly             planted, soak, attack
# make moto   plain paths on moto, a second opinion      make planted, make soak  planted bugs, walks
# make attack racing writes, ten minutes at most         SEED=7 SECONDS=60 make attack
# make lock   requirements files from pyproject.toml     make clean               forget all local state
# make openapi, make docs      written from the code     the API's document; tables, guides, costs
# make token ORG=demo ROLE=reader      a token of the local stack     make audit ORG=demo   its chains
# make billing ARGS='audit --org demo'                   the whole command line, on the local stack
# make bench  cold, warm, growth, runs, model, documents writes benchmarks/RESULTS.md, takes minutes
# make load   two minutes of a telecom's day, over HTTP  and whether the books are right after it
# make invoke FUNCTION=Invoices EVENT=invoices_list      one function in a container, by sam local
# make api    the API from containers (PORT=3000)        both need Docker or podman, and a stack
# make call EVENT=movements_create     its function in this process, for a debugger
#
# Needs Python 3.13 and make. GATEWAY_PORT=4600 make run takes another port than 4566.

PYTHON ?= python3.13
BIN := .venv/bin
EMULATOR := .local/venv
WORKERS := $(shell nproc 2>/dev/null || sysctl -n hw.ncpu 2>/dev/null || echo 2)

# What justmytype-intl-cjk asks for besides: we take its fonts, and leave what finds fonts by name.
UNUSED := fonttools justmytype
COMPILE := $(BIN)/uv pip compile --quiet --generate-hashes --universal --python-version 3.13 \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" $(UPGRADE) \
	$(UNUSED:%=--no-emit-package %)

.DEFAULT_GOAL := help
.PHONY: help setup run start stop logs status mail invoke call api token audit billing openapi docs test unit moto one nightly soak planted attack bench load check format lock clean
.SILENT:

help:
	sed -n '/^#/!q;s/^# \{0,1\}//p' Makefile

setup: .venv/ready $(EMULATOR)/ready

run start: setup
	$(BIN)/python -m local $@

stop logs status api: .venv/ready
	$(BIN)/python -m local $@

mail: .venv/ready
	$(BIN)/python -m local mail $(N)

# SAM_LOCAL names what stands in for `sam local` where no Docker runs.
invoke: .venv/ready
	$(BIN)/python -m local invoke '$(FUNCTION)' '$(EVENT)'

call: .venv/ready
	$(BIN)/python -m local call '$(EVENT)'

# On AWS: python -m billing_cli, which these run with the settings of the local stack.
token audit billing: export PYTHONPATH := layers/billing:cli
billing: .venv/ready
	$(BIN)/python -m local exec $(BIN)/python -m billing_cli $(or $(ARGS),--help)

token: .venv/ready
	$(BIN)/python -m local exec $(BIN)/python -m billing_cli token create --org '$(ORG)' --role '$(ROLE)' \
		--accounts '$(or $(ACCOUNTS),all)' --name '$(or $(NAME),$(ROLE))'

audit: .venv/ready
	$(BIN)/python -m local exec $(BIN)/python -m billing_cli audit --org '$(or $(ORG),demo)'

# Pages written from the code: the items that modules keep, the commands, the costs; and those of /docs.
docs: .venv/ready
	$(BIN)/python -m tools.data_model
	$(BIN)/python -m tools.pages
	PYTHONPATH=layers/billing:cli:. $(BIN)/python -m tools.command_line
	PYTHONPATH=layers/billing:cli:. $(BIN)/python -m tools.costs

openapi: .venv/ready
	PYTHONPATH=layers/billing:cli:. $(BIN)/python -m tools.openapi

# Tests of a file share a process; those of the deployed stack share one too: tests/conftest.py.
test: check setup .local/checkov/ready node_modules/ready moto
	$(BIN)/python -m local with $(BIN)/pytest --numprocesses $(WORKERS) $(PYTEST_ARGS)

# Rules, and the plain paths of functions and repositories on tables without a stack.
unit: setup
	$(BIN)/pytest --numprocesses $(WORKERS) -m 'not faults' tests/unit tests/integration

moto: setup
	$(BIN)/pytest --numprocesses $(WORKERS) --aws=moto tests/integration

# A test of tests/e2e needs a whole stack: the one that runs, or a fresh one.
one: setup
	case '$(T)' in \
	  '') echo 'Say which: make one T=tests/unit/test_money.py'; exit 2;; \
	  tests/e2e*) if $(BIN)/python -m local exec true 2>/dev/null; then $(BIN)/pytest '$(T)'; \
	    else $(BIN)/python -m local with $(BIN)/pytest '$(T)'; fi;; \
	  *) $(BIN)/pytest '$(T)';; \
	esac

nightly: planted soak attack

# Racing writes of all kinds against a plain model: new stories for six minutes, or SECONDS, and ten
# minutes in all at most. SEED=7 begins with that story.
attack: setup
	PYTHONPATH=layers/billing:cli:. $(BIN)/python -m local with $(BIN)/python -m tests.e2e.attack \
		$(if $(SEED),--seed $(SEED)) $(if $(SECONDS),--seconds $(SECONDS))

# Racing refunds by the ten thousand, long walks against the model of them, documents by the thousand.
soak: setup
	DOCUMENT_EXAMPLES=2000 $(BIN)/pytest tests/documents/test_every_document.py \
		tests/documents/test_every_record.py
	MACHINE_EXAMPLES=300 $(BIN)/pytest --capture=no \
		tests/integration/soak_refunds.py tests/integration/test_refund_machine.py

# BENCH='cold warm' measures some of it, and writes nothing.
bench: export PYTHONPATH := layers/billing:cli:.
bench: setup $(foreach name,runtime twin model weasyprint load,.local/bench/$(name)/ready)
	$(BIN)/python -m local with $(BIN)/python -m benchmarks $(BENCH)

# Two minutes like a telecom's day, over HTTP, and then the books: SECONDS=30 USERS=10 make load
load: start .local/bench/load/ready
	PYTHONPATH=. .local/bench/load/bin/locust --headless --only-summary \
		--locustfile benchmarks/load.py --users $(or $(USERS),8) --spawn-rate 4 \
		--run-time $(or $(SECONDS),120)s
	$(MAKE) --no-print-directory audit ORG=demo

# A bug for each of the invariants, and whether its test notices: docs/reliability.md.
planted: setup
	$(BIN)/python -m tests.planted

# What needs no running stack.
check: .venv/ready
	$(call say,format) $(BIN)/ruff format --check --quiet .
	$(call say,lint) $(BIN)/ruff check --quiet .
	$(call say,types) $(BIN)/mypy
	$(call say,imports) PYTHONPATH=layers/billing:cli:. $(BIN)/lint-imports --no-logo
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
	$(COMPILE) --group presentation --constraint requirements-dev.txt \
		--output-file functions/shared_page/requirements.txt
	$(COMPILE) --group presentation --constraint requirements-dev.txt \
		--output-file functions/send_invoice/requirements.txt
	$(COMPILE) --group reference --constraint requirements-dev.txt \
		--output-file functions/front/requirements.txt
	$(COMPILE) --group local --output-file local/requirements.txt
	$(COMPILE) --group checkov --output-file tests/requirements-checkov.txt
	$(COMPILE) --group lambda --output-file benchmarks/requirements.txt
	$(COMPILE) benchmarks/twin/pyproject.toml --output-file benchmarks/twin/requirements.txt
	$(subst --no-emit-package fonttools,,$(COMPILE)) --group bench --output-file benchmarks/requirements-documents.txt
	$(COMPILE) --group model --output-file benchmarks/requirements-model.txt
	$(COMPILE) --group load --output-file benchmarks/requirements-load.txt

clean:
	if [ -x $(BIN)/python ]; then $(BIN)/python -m local clean; fi
	rm -rf .aws-sam .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache

.venv/ready: requirements-dev.txt
	$(call environment,.venv,requirements-dev.txt)

$(EMULATOR)/ready: local/requirements.txt .venv/ready
	$(call environment,$(EMULATOR),local/requirements.txt)

.local/checkov/ready: tests/requirements-checkov.txt .venv/ready
	$(call environment,.local/checkov,tests/requirements-checkov.txt)

# What Lambda's own Python has, what the twin is made of, and what PDFs are measured against.
.local/bench/runtime/ready: benchmarks/requirements.txt .venv/ready
	$(call environment,.local/bench/runtime,$<)

.local/bench/twin/ready: benchmarks/twin/requirements.txt .venv/ready
	$(call environment,.local/bench/twin,$<)

.local/bench/model/ready: benchmarks/requirements-model.txt .venv/ready
	$(call environment,.local/bench/model,$<)

.local/bench/weasyprint/ready: benchmarks/requirements-documents.txt .venv/ready
	$(call environment,.local/bench/weasyprint,$<)

.local/bench/load/ready: benchmarks/requirements-load.txt .venv/ready
	$(call environment,.local/bench/load,$<)

# Spectral, which checks the OpenAPI document; without npm its test is skipped.
node_modules/ready: package-lock.json
	if command -v npm >/dev/null; then npm ci --silent && touch $@; fi

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
		$(1)/bin/pip install --quiet --no-deps --require-hashes --requirement $(2); } && \
	touch $(1)/ready && echo "$$(( $$(date +%s) - began )) s"
endef
