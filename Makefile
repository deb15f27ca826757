# Everything below makes its own virtual environment first: Python >= 3.11 with pip, git and make are enough.
.DEFAULT_GOAL := help
BIN := .venv/bin
RERUNS ?= 1

.PHONY: help demo test conformance lint format types bench docs lock clean ready

help: ## Say what there is
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | while IFS="$$(printf '\t')" read -r name what; do \
		printf '  make %-12s %s\n' "$$name" "$$what"; done

demo: ready ## Watch a real bug of a small project being repaired (no API key, under a minute)
	@$(BIN)/podium demo

test: ready ## Run the test suite, three files at a time; what fails runs once more and is named (RERUNS=0: never)
	@$(BIN)/python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder \
		--reruns $(RERUNS) --max-suite-reruns 10 -r fER

conformance: ready ## Score our conformance server with the official MCP suite (needs npm)
	@$(BIN)/python -m tests.conformance

lint: ready ## Check style, formatting and the dependency rule
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/lint-imports

types: ready ## Check types (pyright, strict)
	@$(BIN)/pyright

bench: ready ## Measure the budgets, as ratios in one run
	@$(BIN)/python -m benchmarks

format: ready ## Format the code
	@$(BIN)/ruff check --fix --quiet
	@$(BIN)/ruff format

docs: ready ## Write docs/cli.md, docs/scopes.md, the text of `podium --help` and configs/servers/ from the code
	@$(BIN)/python -m scripts.write_docs

lock: ready ## Resolve the dependencies anew
	@scripts/lock.sh

clean: ## Remove the virtual environment and caches
	@rm -rf .venv .pytest_cache .ruff_cache .hypothesis .import_linter_cache .grimp_cache *.egg-info

ready:
	@scripts/bootstrap.sh
