# One command per wish; `make` alone lists them. Needs bash, make and Python 3.11 with venv; the rest is fetched.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
READY := .venv/.ready
SOURCES := contract drivers edge_agent aggregator hil_tests benchmarks tests

# Build environments obey the constraints too: older pips read the first variable there, newer ones the second.
export PIP_CONSTRAINT := constraints.txt
export PIP_BUILD_CONSTRAINT := constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# Where this may install system packages, a test that misses one fails instead of skipping.
MAY_INSTALL := $(shell [ "$$(id -u)" = 0 ] && [ -f /etc/debian_version ] && echo 1)
ifeq ($(MAY_INSTALL),1)
export PARKSENTRY_REQUIRE_SYSTEM := 1
endif

.PHONY: help
help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet -e '.[dev]' -c constraints.txt
	touch $@

.PHONY: demo
demo: $(READY) ## a plant, two agents, a control room to sign in to; PORT=8080; SECONDS=60 runs without a person and judges
	$(BIN)/hil-rig demo $(if $(SECONDS),--seconds $(SECONDS)) $(if $(PORT),--port $(PORT))

.PHONY: test
test: system kernels lint types imports ## everything that CI runs: system packages, lint, types, import contracts, tests
	$(BIN)/python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder

.PHONY: kernels
kernels: $(READY) ## compile the detection kernels ahead of time, for each processor that a linker is here for
	$(BIN)/python tools/build_kernels.py

.PHONY: lint
lint: $(READY) ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

.PHONY: format
format: $(READY) ## let ruff rewrite what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: types
types: $(READY) ## mypy, strict
	$(BIN)/mypy $(SOURCES)

.PHONY: imports
imports: $(READY) ## who may import whom
	$(BIN)/lint-imports

.PHONY: bench
bench: $(READY) ## measure what is promised, write bench.json; ONLY=detection runs one part
	$(BIN)/python -m benchmarks.run --json bench.json $(if $(ONLY),--only $(ONLY))

.PHONY: kills
kills: $(READY) ## SIGKILL real processes and count what is lost, events and alarms; COUNT=20 SEED=1
	KILLS_COUNT=$(COUNT) KILLS_SEED=$(SEED) ALARM_KILLS_COUNT=$(COUNT) ALARM_KILLS_SEED=$(SEED) \
	  $(BIN)/python -m pytest -s --timeout=0 tests/scenarios/test_kills.py tests/scenarios/test_alarm_kills.py

.PHONY: faults
faults: $(READY) ## replies that misbehave by chance through the Modbus driver, wrong values counted; COUNT=1000000 SEED=1
	FAULTS_COUNT=$(COUNT) FAULTS_SEED=$(SEED) \
	  $(BIN)/python -m pytest -s --timeout=0 tests/scenarios/test_faults.py -k no_good_value

.PHONY: outage
outage: $(READY) ## a new alarm behind a backlog: how soon the control room knows of it; COUNT=100000 events
	OUTAGE_COUNT=$(COUNT) $(BIN)/python -m pytest -s tests/scenarios/test_outage.py

.PHONY: plant
plant: $(READY) ## plant scenarios in simulated time, then a quiet week with every safety condition on; DAYS=7 SEED=1
	$(BIN)/hil-rig run hil_tests/scenarios/plant
	$(BIN)/hil-rig run hil_tests/scenarios/plant/quiet_week.toml --days $(or $(DAYS),7) --seeds $(or $(SEED),1)

.PHONY: curves
curves: $(READY) ## draw what the simulated plant does into docs/pictures
	$(BIN)/hil-rig curves docs/pictures

.PHONY: hour
hour: $(READY) ## type the first hour of a gateway again and write what was shown into docs/how-to/the-first-hour.md
	WRITE_THE_HOUR=1 $(BIN)/python -m pytest tests/foreign/test_the_hour.py

.PHONY: system
system: ## system packages that tests need: installed as root on Debian, else listed
	tools/system_packages.sh
