# `make help` lists what there is. Variables: PORT, HOST, ARGS (more arguments for the tool), JOBS, PYTHON.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help run test check soak bench lock clean runtime dev peers python chromium check-style check-types check-imports check-migrations check-deploy check-packages
MAKEFLAGS += --no-print-directory

# The first that is new enough, unless you name one: make PYTHON=/usr/bin/python3.12
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$python" && break; done)
# One more than the two cores that the time limit of CI is for: many tests wait for processes that start.
JOBS ?= 3
BIN := .venv/bin

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: runtime ## start the site with everything it needs (PORT=8000); Ctrl-C stops it
	@exec $(BIN)/python -m config.supervisor

test: dev chromium ## run all tests from nothing (ARGS='-k draw', JOBS=3)
	@exec $(BIN)/python -m pytest -n $(JOBS) --dist worksteal $(ARGS)

check: check-style check-types check-imports check-migrations check-deploy check-packages ## lint, types, import directions, migrations, deployment settings, known vulnerabilities

soak: dev ## run the long kill and storm tests with all their rounds
	@exec $(BIN)/python -m pytest -n $(JOBS) --soak $(ARGS)

bench: peers ## measure ourselves and the peers (ARGS=name), on servers of its own
	@exec $(BIN)/python -m config.embedded --durable --with-temporary $(BIN)/python -m benchmarks $(ARGS)

lock: dev ## compile requirements*.txt from pyproject.toml (ARGS=--upgrade for newer versions)
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-emit-index-url $(ARGS) \
		pyproject.toml --output-file requirements.txt
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-emit-index-url $(ARGS) \
		pyproject.toml --extra dev --constraint requirements.txt --output-file requirements-dev.txt
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-emit-index-url $(ARGS) \
		pyproject.toml --extra dev --extra bench --constraint requirements-dev.txt --output-file requirements-bench.txt

clean: ## remove .venv and all caches; your data in .data stays
	@rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -not -path './.data/*' -type d -prune -exec rm -rf {} +

# --- what the above stand on

python:
	@test -n "$(PYTHON)" || { echo "Fairground: no Python 3.11 or newer found: install one (Debian: apt install python3 python3-venv), or name it: make PYTHON=…" >&2; exit 1; }

runtime: python
	@$(PYTHON) .ci/environment.py requirements.txt

dev: python
	@$(PYTHON) .ci/environment.py requirements-dev.txt

# What the benchmarks compare with, beside all of the above: nobody else needs it.
peers: dev
	@$(PYTHON) .ci/environment.py requirements-bench.txt

chromium:
	@.ci/chromium

check-style: dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check

check-types: dev
	$(BIN)/mypy

check-imports: dev
	$(BIN)/lint-imports

check-migrations: dev
	$(BIN)/python -m config.embedded --with-temporary $(BIN)/python manage.py makemigrations --check --dry-run

# As a production site would have them: settings only, nothing is connected to.
check-deploy: dev
	DATABASE_URL=postgres://site@db.example/site REDIS_URL=redis://redis.example/0 \
	SITE_URL=https://fairground.org ALLOWED_HOSTS=fairground.org TRUSTED_PROXIES=10.0.0.0/8 \
	EMAIL_URL=smtp+tls://site:password@mail.example:587 DEFAULT_FROM_EMAIL=hello@fairground.org \
	ALERT_EMAILS=ops@fairground.org \
	PAYSTACK_SECRET_KEY="sk_live_$$($(BIN)/python -c 'import secrets; print(secrets.token_hex(20))')" \
	SECRET_KEY="$$($(BIN)/python -c 'import secrets; print(secrets.token_urlsafe(50))')" \
	LINK_KEY="$$($(BIN)/python -c 'import secrets; print(secrets.token_urlsafe(50))')" \
	SECOND_FACTOR_KEYS="$$($(BIN)/python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())')" \
	DRAW_SECRET_KEYS="$$($(BIN)/python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())')" \
	$(BIN)/python manage.py check --deploy --fail-level WARNING

check-packages: dev
	@$(BIN)/python .ci/audit.py requirements.txt
