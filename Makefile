# The commands of this project; `make help` lists them.

PYTHON ?= python3
VENV ?= .venv
# pytest's own arguments, as in `make test ARGS="-k flush"`.
ARGS ?=
# How many processes share the suite: they wait more than they work, so two cores serve four. What ARGS name is
# left to one, which begins sooner.
WORKERS ?= $(if $(ARGS),0,4)
# The same of those that drive a browser, which keeps a core busy.
BROWSERS ?= $(if $(ARGS),0,2)
# The same of faults, each of which has a system of its own and waits for most of its time.
SYSTEMS ?= $(if $(ARGS),0,2)

BIN := $(VENV)/bin
OWN := conftest.py benchmarks dev tests transactions transaction_monitoring manage.py

.DEFAULT_GOAL := help
.PHONY: help install tools run test contract contract-rules faults machines compose units machine-units mutations browser pictures bench check lint types imports packages migrations deploy format lock licences audit clean

help:  ## This list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 16

# `run` installs what running needs; what tests and developers need comes on top, once it is asked for.
RUNNING := requirements.lock requirements-private.lock
# Tests read files of every form, which running does without.
TOOLS := requirements-files.lock requirements-dev.lock
FOUND := command -v $(PYTHON) >/dev/null || { echo "make: $(PYTHON) not found: set PYTHON" >&2; exit 1; }

install:
	@$(FOUND)
	@exec $(PYTHON) -m dev.install $(VENV) $(RUNNING)

tools:
	@$(FOUND)
	@exec $(PYTHON) -m dev.install $(VENV) $(RUNNING) $(TOOLS)

# `exec`: a signal to make reaches the program itself, not a shell that would leave it behind.
run: install  ## The whole system, until Ctrl-C (PORT, DATA_DIR, WEB_CONCURRENCY)
	@exec $(BIN)/python -m dev.run

# `worksteal`: each goes through a stretch of it, so that what a module starts is started once or twice.
test: tools  ## The whole suite, on servers of its own (WORKERS)
	@exec $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(ARGS)

# One test asks for everything: beside other suites it takes well over a quarter of an hour.
contract: tools  ## The running server against its own OpenAPI schema, by made-up requests
	@exec $(BIN)/python -m pytest tests/contract -o faulthandler_timeout=3600 $(ARGS)

# CONTRACT_STREAMS=10000 for a longer run, which may take its one test hours.
contract-rules: export CONTRACT_STREAMS ?= 1000
contract-rules: tools  ## Rules live, by backtest and by a plain judge, over random streams (WORKERS)
	@exec $(BIN)/python -m pytest tests/rules/test_contract.py -n $(WORKERS) -o faulthandler_timeout=0 $(ARGS)

faults: tools  ## Kills, cuts and stops real processes; prints what was lost and doubled (FAULT_SEED, SYSTEMS)
	@exec $(BIN)/python -m pytest tests/faults -q -n $(SYSTEMS) --dist worksteal $(ARGS)

# Needs etcd, etcdctl, haproxy and redis-cli (Debian: etcd-server, etcd-client, haproxy, redis-tools).
# MACHINES_TABLE=docs/machines.md writes the table there.
machines: install  ## Loses, cuts off and freezes one machine of three under load; prints what was lost and doubled
	@$(PYTHON) -m dev.install $(VENV) $(RUNNING) $(TOOLS) requirements-machines.lock
	@exec $(BIN)/python -m tests.machines $(ARGS)

# As root, with Docker's engine (Debian: docker.io, iptables, iproute2, debootstrap); it says so where they are
# missing, and fails where the engine does not start. It takes several minutes. COMPOSE_IMAGES=DIRECTORY keeps
# the images for the next time.
compose: tools  ## The compose file as it is shipped, on an engine of its own (COMPOSE_IMAGES)
	@exec $(BIN)/python -m pytest tests/compose -v $(ARGS)

# As root, with debootstrap; it says so where it is missing. UNITS_ROOT=DIRECTORY keeps Debian for the next time.
# The first test waits for Debian, up to half an hour, and for what is installed on it.
units: tools  ## The units of systemd under systemd itself, in a guest of its own (UNITS_ROOT)
	@exec $(BIN)/python -m pytest tests/units/test_units.py -v -o faulthandler_timeout=3600 $(ARGS)

machine-units: tools  ## The same of a machine of three: three guests, installed as documented (UNITS_ROOT)
	@exec $(BIN)/python -m pytest tests/units/test_machine_units.py -v -o faulthandler_timeout=3600 $(ARGS)

mutations: tools  ## Takes out one safeguard at a time and shows which test fails for it
	@exec $(BIN)/python -m tests.faults.mutations $(ARGS)

# `loadfile`: two browsers and two servers at once are what two cores carry; the whole took nine minutes there.
browser: tools  ## The dashboard in a real Chromium (CHROMIUM names the program, BROWSERS how many run at once)
	@exec $(BIN)/python -m pytest tests/browser -n $(BROWSERS) --dist loadfile $(ARGS)

pictures: tools  ## Writes docs/images anew: each page light and dark, wide and on a phone (CHROMIUM)
	@exec $(BIN)/python -m pytest tests/browser/pictures.py $(ARGS)

# ARGS="single batch", say, for some parts, or ARGS=--quick; a whole run takes over an hour.
bench: tools  ## Everything measured beside what else one could have written, in one run
	@exec $(BIN)/python -m benchmarks $(ARGS)

check: lint types imports packages migrations deploy  ## Style, types, imports, packages, migrations, deployment settings

# As in production, with nothing of this shell and nothing to connect to.
PRODUCTION = env -i PATH="$$PATH" ALLOWED_HOSTS=example.org DATA_DIR=/nonexistent \
	SECRET_KEY="$$($(BIN)/python -c 'import secrets; print(secrets.token_urlsafe(64))')" \
	DATABASE_URL=postgres://nobody@127.0.0.1:1/none REDIS_URL=redis://127.0.0.1:1/0 $(BIN)/python

lint: tools
	$(BIN)/ruff check $(OWN)
	$(BIN)/ruff format --check $(OWN)

# The plug-in for Django loads the settings.
types: tools
	@echo "mypy $(OWN)"
	@$(PRODUCTION) -m mypy $(OWN)

imports: tools
	$(BIN)/lint-imports

packages: tools
	$(BIN)/deptry . --config deptry.toml

migrations: tools
	@echo "manage.py makemigrations --check"
	@$(PRODUCTION) -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run

deploy: tools
	@echo "manage.py check --deploy"
	@$(PRODUCTION) manage.py check --deploy --fail-level WARNING

format: tools  ## Bring the style in order
	$(BIN)/ruff check --fix $(OWN)
	$(BIN)/ruff format $(OWN)

# After a change of requirements*.txt; UPGRADE=--upgrade takes newer releases of what they leave open.
# A package that several sets need is of the same version in all of them.
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	--no-emit-index-url --no-emit-find-links $(UPGRADE)

lock: tools  ## Write requirements*.lock anew
	$(COMPILE) requirements.txt -o requirements.lock
	$(COMPILE) requirements-private.txt -c requirements.lock -o requirements-private.lock
	$(COMPILE) requirements-files.txt -c requirements.lock -c requirements-private.lock -o requirements-files.lock
	$(COMPILE) requirements-dev.txt -c requirements.lock -c requirements-private.lock -c requirements-files.lock \
		-o requirements-dev.lock
	$(COMPILE) requirements-machines.txt -c requirements.lock -c requirements-private.lock -c requirements-files.lock \
		-c requirements-dev.lock -o requirements-machines.lock

# These two are run by hand and rarely, so their tools are in no installation.
licences: tools  ## Write docs/licences.md anew, after `make lock`
	@$(BIN)/uvx --quiet --from pip-licenses==5.5.5 pip-licenses --python $(BIN)/python --format=markdown --order=name \
		--no-version --with-system --ignore-packages pip setuptools --output-file=docs/licences.new >/dev/null
	@sed '/^| *Name /,$$d' docs/licences.md | cat - docs/licences.new > docs/licences.next
	@mv docs/licences.next docs/licences.md && rm docs/licences.new

audit: tools  ## Known weaknesses of the locked packages; needs the package index's own data about them
	@exec $(BIN)/uvx --from pip-audit==2.10.1 pip-audit --strict --disable-pip --require-hashes \
		$(patsubst %,-r %,$(RUNNING) $(TOOLS))

clean:  ## Remove the virtual environment and caches; the data in .local stays
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis staticfiles
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +
