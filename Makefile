# Needs python3 (3.11 or newer, with venv), git and make; everything else goes into .venv.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run demo test check corpus mutants fuzz crash soak bench clean

PYTHON ?= python3
# Test processes side by side (they wait for servers a third of their time), and what else pytest is to be told: make test ARGS="-k reply"
WORKERS ?= 3
ARGS ?=

bin := .venv/bin
install := $(bin)/python -m pip install --quiet --no-build-isolation -c requirements/constraints.txt
# The set-up is made anew when one of these changes, and only then.
pins := setup.cfg requirements/constraints.txt

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1 | \2/p' Makefile | while IFS='|' read -r name text; \
	do printf '%-14s%s\n' "$$name" "$$text"; done

run: .venv/.use ## serve http://127.0.0.1:8000 with gunicorn, database and keys in instance/
	$(bin)/flexmail db upgrade
	exec $(bin)/gunicorn --config gunicorn.conf.py

demo: .venv/.use ## try it: flexmail on http://127.0.0.1:8000 with a mail server of its own
	exec $(bin)/flexmail demo

test: .venv/.dev ## run the tests (installs Dovecot, Exim, PostgreSQL, Chromium when root)
	@scripts/debian-packages
	$(bin)/python -m pytest -n $(WORKERS) --dist loadscope $(ARGS)

check: .venv/.dev ## format, lint, types, import rules, then the tests: what a change must pass
	$(bin)/ruff format --check .
	$(bin)/ruff check .
	$(bin)/mypy
	$(bin)/lint-imports
	@$(MAKE) --no-print-directory test

corpus: .venv/.dev ## measure the reading of real replies: FLEXMAIL_CORPUS, or beside the checkout
	$(bin)/python -m pytest -q -rs tests/services/test_corpus.py

mutants: .venv/.dev ## take out one condition after another: a test must notice each
	$(bin)/python -m tests.mutation $(ARGS)

fuzz: .venv/.fuzz ## look for mail that approves and should not: make fuzz ARGS=600 (seconds)
	$(bin)/python -m tests.fuzz $(ARGS)

crash: .venv/.dev ## kill flexmail 200 times in the middle of its work: nothing lost, nothing twice
	@scripts/debian-packages
	$(bin)/python -m tests.crash $(ARGS)

soak: .venv/.dev ## ten minutes of random troubles under gunicorn: make soak ARGS=600 (seconds)
	@scripts/debian-packages
	$(bin)/python -m tests.soak $(ARGS)

bench: .venv/.bench ## measure against the limit and peers: make bench ARGS="drain --rounds 9"
	@scripts/debian-packages bench
	$(bin)/python -m bench $(ARGS)

clean: ## remove .venv and what tools left behind; instance/ stays
	rm -rf .venv .fuzz build dist flexmail.egg-info .mypy_cache .pytest_cache .ruff_cache \
		.import_linter_cache .hypothesis .coverage .coverage.* htmlcov
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +

# Setuptools goes in first and pinned: builds then need nothing from outside the pins.
.venv/.made: $(pins)
	@PYTHON='$(PYTHON)' scripts/venv .venv
	$(install) setuptools
	@touch $@

.venv/.use: .venv/.made
	$(install) --editable '.[demo]'
	@touch $@

.venv/.dev: .venv/.made
	$(install) --editable '.[demo,dev,postgres]'
	@touch $@ .venv/.use

.venv/.fuzz: .venv/.dev
	$(install) --editable '.[demo,dev,postgres,fuzz]'
	@touch $@

.venv/.bench: .venv/.dev
	$(install) --editable '.[demo,dev,postgres,bench]'
	@touch $@
