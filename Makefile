# Everything a person runs. `make help` lists it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
APPROVE ?= ask
# What running needs, what programs that score need, Delta Lake, and what the development of this needs.
LOCKS := requirements.txt requirements-score.txt requirements-delta.txt requirements-dev.txt
# Of each process of the tests: they are as many as there are cores.
ONE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
# `make up` goes on with the demo's stack; `make up MODELS=dir` runs your own beside it.
HOME_DIR := .run/$(if $(MODELS),own,demo)

.PHONY: fuzz audit sbom licences help setup demo up down status backfill secrets team helm pictures test test-fast bench-speed bench-ledger bench-score bench-orchestration bench-detection faults lint format lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

$(VENV)/.ready: requirements.txt
	@echo "Setting up $(VENV) …"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install -qq --disable-pip-version-check uv
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode --require-hashes -r requirements.txt
	@touch $@

$(VENV)/.ready-dev: $(VENV)/.ready requirements-dev.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode --require-hashes -r requirements-dev.txt
	@touch $@

setup: $(VENV)/.ready ## install what running needs into .venv

demo: $(VENV)/.ready ## the whole story on real data; APPROVE=yes|no answers for you
	@$(BIN)/python -m ops.demo --approve $(APPROVE)

up: $(VENV)/.ready ## start the stack; MODELS=dir for your own models
	@$(BIN)/python -m ops.stack up --home $(HOME_DIR) $(if $(MODELS),--models $(MODELS))

down: $(VENV)/.ready ## stop the stack; MODELS=dir for your own models
	@$(BIN)/python -m ops.stack down --home $(HOME_DIR)

status: $(VENV)/.ready ## where a model stands: MODEL=name, and MODELS=dir for your own
	@$(BIN)/python -m ops.stack tasks --home $(HOME_DIR) status $(MODEL)

backfill: $(VENV)/.ready ## MODEL=name FROM=date TO=date: observe its windows; PROPOSE=yes asks at its end; OPTIONS="--run-backwards …"
	@$(BIN)/python -m ops.backfill --home $(HOME_DIR) $(if $(filter yes,$(PROPOSE)),--propose) $(MODEL) $(FROM) $(TO) $(OPTIONS)

secrets: ## make the secrets of the team set-up that are missing
	@$(PYTHON) -m ops.team.make_secrets

team: $(VENV)/.ready secrets ## the services of docker-compose.yaml without a Docker engine
	@$(BIN)/python -m ops.native up

helm: ## render ops/helm for both executors: CHART=apache-airflow/airflow, or a folder
	@mkdir -p .run/helm
	@helm template gatelatch $(CHART) --values ops/helm/values.yaml > .run/helm/celery.yaml
	@helm template gatelatch $(CHART) --values ops/helm/values.yaml --values ops/helm/values-kubernetes.yaml > .run/helm/kubernetes.yaml
	@echo "rendered to .run/helm"

pictures: $(VENV)/.ready ## draw the terminal of the README anew, after `make demo`
	@$(BIN)/python -m ops.pictures

test: $(VENV)/.ready-dev ## lint, types and every test
	@$(MAKE) --no-print-directory lint
	@$(ONE_THREAD) $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

test-fast: $(VENV)/.ready-dev ## pure functions and the ledger alone: no Airflow, MLflow or browser
	@$(ONE_THREAD) $(BIN)/python -m pytest -q -m "not slow" -n 2 --dist worksteal

bench-speed: $(VENV)/.ready ## rows per second and memory of a window against the bound, and the margins against peers; ROWS="…" for other sizes
	@$(BIN)/python -m benchmarks.speed $(ROWS)

bench-ledger: $(VENV)/.ready ## what it costs to know where a model stands, in a cold process
	@$(BIN)/python -m benchmarks.ledger

bench-score: $(VENV)/.ready ## what scoring costs: its environment, and rows a second beside reading and writing alone; ROWS="…" for other sizes
	@$(BIN)/python -m benchmarks.score $(ROWS)

bench-orchestration: $(VENV)/.ready ## a run of the monitor beside three empty tasks, on a real Airflow; OPTIONS="--backfill 40"
	@$(BIN)/python -m benchmarks.orchestration $(OPTIONS)

bench-detection: $(VENV)/.ready ## false alarms, delays and retrains against other detectors, in environments of their own
	@$(BIN)/python -m benchmarks.detection $(OPTIONS)

faults: $(VENV)/.ready ## each fault in the middle of each stage; FAULT="worker redis" and STAGE="train" for some
	@$(BIN)/python -m ops.faults $(foreach fault,$(FAULT),--fault $(fault)) $(foreach stage,$(STAGE),--stage $(stage))

fuzz: $(VENV)/.ready-dev ## what reads input of others, guided by coverage; OPTIONS="--seconds 600 csv join"
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --target .run/atheris "atheris>=3,<4"
	@PYTHONPATH=.run/atheris $(ONE_THREAD) $(BIN)/python -m tests.fuzz $(OPTIONS)

audit: $(VENV)/.ready ## hold the packages of each lock against PyPI's advisories; fails if one was not looked up
	@failed=; for lock in $(LOCKS); do echo "$$lock:"; \
	  $(BIN)/uvx --from pip-audit==2.10.1 pip-audit --strict --disable-pip --require-hashes --progress-spinner off -r $$lock \
	  || failed="$$failed $$lock"; done; if [ "$$failed" ]; then echo "not well:$$failed" >&2; exit 1; fi

sbom: $(VENV)/.ready ## write .run/sbom.cdx.json: a CycloneDX list of all that is in .venv, development tools too, with licences
	@mkdir -p .run
	@$(BIN)/uvx --from cyclonedx-bom==7.5.0 cyclonedx-py environment --pyproject pyproject.toml --output-reproducible --of JSON -o .run/sbom.cdx.json $(BIN)/python

licences: $(VENV)/.ready-dev ## print the licence of each package of each lock
	@$(BIN)/python -m ops.licences

lint: $(VENV)/.ready-dev ## ruff, mypy --strict, and that each room imports only rooms below it
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo --no-cache

format: $(VENV)/.ready-dev ## let ruff rewrite the layout
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format --quiet .

lock: $(VENV)/.ready ## pin requirements*.txt anew, for every supported Python
	@$(BIN)/uv pip compile --universal --quiet --generate-hashes --no-emit-index-url --no-header --python-version 3.11 requirements.in -o requirements.txt
	@$(BIN)/uv pip compile --universal --quiet --generate-hashes --no-emit-index-url --no-header --python-version 3.11 -c requirements.txt requirements-dev.in -o requirements-dev.txt
	@$(BIN)/uv pip compile --universal --quiet --generate-hashes --no-emit-index-url --no-header --python-version 3.11 -c requirements.txt requirements-score.in -o requirements-score.txt
	@$(BIN)/uv pip compile --universal --quiet --generate-hashes --no-emit-index-url --no-header --python-version 3.11 -c requirements-dev.txt requirements-delta.in -o requirements-delta.txt

clean: ## remove what runs left behind
	@$(BIN)/python -m ops.stack down --home .run/demo
	@$(BIN)/python -m ops.stack down --home .run/own
	rm -rf .run
