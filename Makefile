# One vocabulary for a person, a hook and CI. Each target sets up what it needs.
PYTHON ?= python3
BIN := .venv/bin
# Network namespaces need root. Continuous integration has it for the asking; a person is not asked here.
AS_ROOT := $(if $(CI),$(addsuffix  --preserve-env,$(shell command -v sudo))) env PATH="$$PATH"
# Which model, where the project has several: make demo MODEL=name
MODEL ?= $(SLUICE_MODEL)
MODELS = $(patsubst models/%/contract.toml,%,$(sort $(wildcard models/*/contract.toml)))
# What reads an object store before a pointer names one: make setup STORES=s3 (or gs, az)
STORES ?=

# Which service knows vulnerabilities, where it is another than everybody's: make audit OSV=https://...
OSV ?= https://api.osv.dev/

.PHONY: setup named develop demo test coverage check bench e2e cluster cluster-down cluster-admission cluster-e2e cluster-drill kind kind-e2e kind-down serve up format release house audit bill workflows comment stack stack-check wheel scanned key-files

setup:
	@$(PYTHON) scripts/bootstrap.py $(STORES)

# Said before anything is set up.
named:
	@$(if $(MODEL)$(filter 0 1,$(words $(MODELS))),:,$(error $(words $(MODELS)) models are there and none is named: $(MODELS). Type make $(MAKECMDGOALS) MODEL=$(firstword $(MODELS))))

# The same environment, with what the checks and the tests need.
develop:
	@$(PYTHON) scripts/bootstrap.py --dev

# The generated rows of a model that `sluice init` drafted; another model's data pointer names its own.
SHARES = $(wildcard models/$(or $(MODEL),$(MODELS))/sample.toml)

# On this machine alone: generated rows go to no registry and no manifest repo of anybody's.
demo: named setup
	@env --unset=SLUICE_REGISTRY --unset=SLUICE_MANIFESTS $(BIN)/sluice release $(MODEL) $(if $(SHARES),--data $(SHARES))

serve: named setup
	@$(BIN)/sluice serve $(MODEL)

up: setup
	@$(BIN)/sluice up

test: develop
	@$(BIN)/pytest --numprocesses 2 tests --ignore tests/e2e --ignore tests/cluster

# Coverage makes the tests 50 % slower on Python 3.11, which has no sys.monitoring.
coverage: develop
	@$(BIN)/pytest --numprocesses 2 --cov --cov-report term:skip-covered --cov-report json:.sluice/coverage.json tests --ignore tests/e2e --ignore tests/cluster
	@$(BIN)/python -c "import json; got = json.load(open('.sluice/coverage.json'))['totals']; lines, branches = got['percent_statements_covered'], got['percent_branches_covered']; print(f'{lines:.1f} % of the lines, {branches:.1f} % of the branches'); exit(lines < 90 or branches < 80)"

check: develop
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/uv lock --check --quiet
	@$(BIN)/python -m scripts.column_docs --check
	@$(BIN)/python -m scripts.contract_reference --check
	@$(BIN)/python -m scripts.policy_reference --check
	@$(BIN)/pytest -p no:randomly --quiet tests/house/test_house.py tests/house/test_use_case_words.py tests/workflows

e2e:
	@$(PYTHON) scripts/bootstrap.py --e2e
	@$(BIN)/pytest --numprocesses 2 tests/e2e

# Kubernetes, Argo CD and Argo Rollouts, as programs of this machine. The first time it builds them: 25 minutes of a processor.
cluster:
	@$(PYTHON) scripts/bootstrap.py --cluster
	@$(AS_ROOT) PYTHONPATH=tests:. $(BIN)/python -m support.cluster up

cluster-down:
	@$(AS_ROOT) PYTHONPATH=tests:. $(BIN)/python -m support.cluster down

# The API server and etcd alone, without root: the manifests are taken, and what a canary came to is read. The first time it
# builds both: six minutes of a processor.
cluster-admission: develop
	@$(BIN)/pytest tests/cluster/test_admission.py tests/cluster/test_reconcile.py tests/cluster/test_kind.py \
		tests/cluster/test_description.py

# On the cluster of `make cluster`, or on the one that a file describes: make cluster-e2e CLUSTER=FILE
PLAYED_ON = $(if $(CLUSTER),--cluster $(CLUSTER))
cluster-e2e: $(if $(CLUSTER),develop,cluster)
	@$(AS_ROOT) $(BIN)/pytest tests/cluster $(PLAYED_ON)

# The same scenes ten times and three times, and each part away for two minutes: three hours. What was measured is in the file.
cluster-drill: $(if $(CLUSTER),develop,cluster)
	@mkdir -p .sluice
	@$(AS_ROOT) $(BIN)/pytest tests/cluster --drill --junitxml .sluice/cluster-drill.xml $(PLAYED_ON)

# A cluster of kind, with images of others: docker, kind and kubectl are needed. It is described in .sluice/kind/cluster.json.
kind:
	@$(PYTHON) scripts/bootstrap.py --cluster
	@$(AS_ROOT) PYTHONPATH=tests:. $(BIN)/python -m support.cluster.kind up

kind-e2e: kind
	@$(AS_ROOT) $(BIN)/pytest tests/cluster --cluster .sluice/kind/cluster.json

kind-down:
	@$(AS_ROOT) PYTHONPATH=tests:. $(BIN)/python -m support.cluster.kind down

bench: develop
	@$(BIN)/python -m benchmarks.release

# Known vulnerabilities of what uv.lock pins, in every group.
audit: setup
	@$(BIN)/uv audit --frozen --preview-features audit-command --service-url $(OSV)

# What uv.lock pins for a release, as a bill of materials (CycloneDX). An image has its own, made from its layers.
bill: setup
	@mkdir -p .sluice
	@$(BIN)/uv export --frozen --quiet --preview-features sbom-export --format cyclonedx1.5 --no-default-groups --group pipeline --no-emit-project --output-file .sluice/bill.cdx.json

# A release by what is in the wheel, and by nothing of the checkout.
wheel: develop
	@$(BIN)/pytest -n0 tests/e2e/test_wheel.py

# An image of generated rows in a layout of its own, for a scanner. All models share what is in it but for the model itself.
ONE = $(or $(MODEL),$(firstword $(MODELS)))
scanned: setup
	@$(MAKE) --no-print-directory demo MODEL=$(ONE)
	@env --unset=SLUICE_REGISTRY --unset=SLUICE_MANIFESTS $(BIN)/sluice images $(ONE) --json | $(PYTHON) -m scripts.scanned_image .sluice/demo/registry/$(ONE) .sluice/scanned

# The keys of a job that a program reads from a file, out of the variables that hold them. It needs Python alone.
key-files:
	@$(PYTHON) -m scripts.key_files

# The workflows, with what is known of the actions in them where GH_TOKEN is set; zizmor takes no empty one.
workflows: develop
	@$(if $(GH_TOKEN),,env --unset=GH_TOKEN) $(BIN)/zizmor --persona=pedantic --format=plain .github/workflows

# The servers of a team on one machine: make stack HOST=team.example.com. It makes passwords and a certificate once, and says what to type.
HOST ?= localhost
stack:
	@$(PYTHON) scripts/bootstrap.py stack
	@$(BIN)/python -m scripts.stack prepare .sluice/stack $(HOST)
	@$(BIN)/uv export --frozen --quiet --only-group servers --no-emit-project --output-file .sluice/stack/servers/requirements.txt

# The files of that stack: the schema of compose, pins, no secret, what is open to whom.
stack-check: develop
	@$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec deploy/compose/compose.yaml deploy/compose/service.yaml
	@$(BIN)/python -m scripts.stack check

# The comment on a pull request, after the workflow that worked its plans out. It needs Python alone.
comment:
	@$(PYTHON) -m scripts.plan_comment

# How long, dense, typed and documented the code is. It fails nothing.
house: develop
	@$(BIN)/python scripts/house_figures.py

format: develop
	@$(BIN)/ruff format
	@$(BIN)/ruff check --fix

# A release of Sluice itself, not of a model: make release VERSION=0.2.0
release: develop
	@$(BIN)/python scripts/release_sluice.py $(VERSION)
