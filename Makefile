# Every command works from a fresh checkout: it first installs what is missing (.ci/setup), and is quick the second time.
#   make demo                runs broker, cloud and one kiosk on simulated hardware until Ctrl-C      (RESET=1 starts afresh)
#   make demo ORDERS=50      plays 50 orders over two simulated weeks and checks every number         (DB=postgres)
SHELL := /bin/bash
.DEFAULT_GOAL := help
PY := .venv/bin/python
DB ?= sqlite
SEEDS ?= 200
KILLS ?= $(if $(filter ha,$(MAKECMDGOALS)),10,20)
ONLY ?= all
OUT ?= build/screens
CASES ?= 2000

.PHONY: help demo test check bench simulate chaos ha fuzz screens

help: ## list the commands
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## run the whole system here; ORDERS=n plays n orders and checks the sums; DB=postgres; RESET=1
	@.ci/setup demo $(if $(filter postgres,$(DB)),postgres)
	@exec $(PY) -m tests.demo --db $(DB) $(if $(ORDERS),--orders $(ORDERS)) $(if $(filter 1 yes true,$(RESET)),--reset) \
	  $(if $(WEB_PORT),--web-port $(WEB_PORT)) $(if $(KIOSK_PORT),--kiosk-port $(KIOSK_PORT)) $(if $(BROKER_PORT),--broker-port $(BROKER_PORT))

test: ## run the whole suite; ARGS="-k word" narrows it
	@.ci/setup test postgres
	@exec $(PY) -m pytest -n $${PYTEST_WORKERS:-2} --dist loadfile $(ARGS)

check: ## ruff, mypy strict, import contracts, schema and docs drift
	@.ci/setup test
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy
	$(PY) hardware/firmware/check_types.py
	.venv/bin/lint-imports
	$(PY) -m pytest -q -p no:cacheprovider tests/unit/test_docs_drift.py

bench: ## ratios against a limit or a peer in the same run; ONLY=codec|line|leg|ingest|latency|flood|growth|settle|confirm|reconcile|lists; N=redemptions; SIZE=vouchers; DOC=1
	@.ci/setup test postgres
	@exec $(PY) -m tests.bench --only $(ONLY) $(if $(N),--redemptions $(N)) $(if $(SIZE),--vouchers $(SIZE)) $(if $(filter 1 yes true,$(DOC)),--doc)

simulate: ## deterministic simulation of kiosks, network and cloud; SEEDS=n
	@.ci/setup test
	@exec $(PY) -m tests.simulation --seeds $(SEEDS) $(if $(SEED),--seed $(SEED))

chaos: ## real processes, killed at random while orders run; KILLS=n, DB=postgres
	@.ci/setup test $(if $(filter postgres,$(DB)),postgres)
	@exec $(PY) -m tests.chaos --kills $(KILLS) --db $(DB)

ha: ## kill the primary of a three-node Patroni cluster under load; KILLS=n (10)
	@.ci/setup test ha
	@exec $(PY) -m tests.ha --kills $(KILLS) $(if $(SEED),--seed $(SEED))

fuzz: ## generated requests against the OpenAPI document; CASES=n, DB=postgres, SEED=n
	@.ci/setup test $(if $(filter postgres,$(DB)),postgres)
	@exec $(PY) -m tests.fuzz --cases $(CASES) --db $(DB) $(if $(SEED),--seed $(SEED))

screens: ## render every screen, page and document to PNG; OUT=folder
	@.ci/setup test
	@exec $(PY) -m tests.screens $(OUT)
