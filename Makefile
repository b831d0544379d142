# Every command a newcomer needs; `make` alone lists them. CI runs .ci/run: `make test`, `make guard`.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON := .run/venv/bin/python
RELEASE_BINARY := .build/release/backhaul
export PYTHONDONTWRITEBYTECODE := 1

.PHONY: help
help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  \033[1mmake %-12s\033[0m %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: release ## the whole story in about a minute: Celery enqueues, Swift works, the books are compared
	@exec $(PYTHON) -m demo run --backhaul $(RELEASE_BINARY) $(DEMO_OPTIONS)

.PHONY: dev
dev: release ## servers, workers, scheduler and counterparts, left running for you to use
	@exec $(PYTHON) -m demo dev --backhaul $(RELEASE_BINARY) $(DEMO_OPTIONS)

.PHONY: test
test: bootstrap ## every test, on real servers and with a real Celery (FILTER=RedisTests for some)
	@scripts/test.sh $(FILTER)

.PHONY: build
build: bootstrap ## debug build of everything, tests included
	swift build --build-tests

.PHONY: release
release: bootstrap ## optimised build of the backhaul executable
	@scripts/release.sh

.PHONY: bench
bench: bench-ready ## every figure, beside peers and the floor; under 25 minutes (BENCH_OPTIONS=--help)
	@exec $(PYTHON) -m Benchmarks --backhaul $(RELEASE_BINARY) $(BENCH_OPTIONS)

.PHONY: bench-quick
bench-quick: bench-ready ## the same with few messages: an impression in three minutes
	@exec $(PYTHON) -m Benchmarks --backhaul $(RELEASE_BINARY) --quick $(BENCH_OPTIONS)

.PHONY: bench-ready
bench-ready: release
	@scripts/bench-bootstrap.sh
	@scripts/release.sh BenchmarkDriver

.PHONY: chaos
chaos: release ## the fault suite: kills, zombies, outages; at most 15 minutes (CHAOS_OPTIONS=--help)
	@exec $(PYTHON) -m chaos --backhaul $(RELEASE_BINARY) $(CHAOS_OPTIONS)

.PHONY: chaos-quick
chaos-quick: release ## kills, zombies, restarts and a bad network, in about two minutes
	@exec $(PYTHON) -m chaos --backhaul $(RELEASE_BINARY) --quick $(CHAOS_OPTIONS)

.PHONY: celery-suite
celery-suite: bootstrap ## Celery's own integration tests against a Swift worker; 20 minutes (SUITE_OPTIONS=-k…)
	@scripts/release.sh CelerySuiteWorker
	@exec $(PYTHON) -m celery_suite --worker .build/release/CelerySuiteWorker $(SUITE_OPTIONS)

.PHONY: guard
guard: release ## what one job costs, counted: allocations, calls to Redis, instructions; fails above limits
	@$(PYTHON) -m unittest --quiet Benchmarks.tests Benchmarks.guard.tests
	@exec $(PYTHON) -m Benchmarks.guard --backhaul $(RELEASE_BINARY) $(GUARD_OPTIONS)

.PHONY: lint
lint: ## formatting and syntax, without changing anything
	@scripts/lint.sh

.PHONY: format
format: ## format all Swift
	swift format --in-place --parallel --recursive Package.swift Sources Tests

.PHONY: golden
golden: bootstrap ## capture the golden messages again, from the pinned Celery
	$(PYTHON) scripts/capture-golden.py Tests/JobModelTests/Golden

.PHONY: bootstrap
bootstrap: ## install what is missing: Debian packages (as root), Python packages in .run/venv
	@scripts/bootstrap.sh

.PHONY: clean
clean: ## remove everything these commands made
	rm -rf .build .run Benchmarks/results chaos/results
