# `make demo` and `make test` are all that a fresh machine with Python 3.11 needs.
PYTHON ?= python3
BIN := .venv/bin
export HF_HUB_OFFLINE := 1

.PHONY: help
help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The stamp is newer than what it was made from, so the environment follows these two files.
$(BIN)/.installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev,sqlite]'
	touch $@

.PHONY: install
install: $(BIN)/.installed  ## Make the environment in .venv

.PHONY: demo
demo: install  ## A picture, a clip, a sound and a solid, in demo/
	$(BIN)/omnifex demo --out demo

.PHONY: test
test: install lint types layers  ## Everything that must pass: style, types, layers, tests, coverage
	$(BIN)/python -m pytest --cov --cov-report=term:skip-covered --cov-fail-under=90

.PHONY: test-slow
test-slow: install  ## The tests that take minutes
	$(BIN)/python -m pytest -m slow

.PHONY: lint
lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

.PHONY: types
types: install
	$(BIN)/mypy

.PHONY: layers
layers: install
	$(BIN)/lint-imports

.PHONY: format
format: install  ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: bench
bench: install  ## Prompt adherence of the built-in models, and the engine's overhead
	$(BIN)/python -m benchmarks.prompts --modality all
	$(BIN)/python -m benchmarks.overhead

.PHONY: faults
faults: install  ## Kill, stop, poison and cut off real workers on both databases; minutes
	$(BIN)/python -m benchmarks.faults

.PHONY: prism
prism: install  ## Train the built-in models (hours on a CPU, minutes on a GPU; resumable)
	for modality in image audio mesh video; do \
		$(BIN)/python -m recipes.autoencoders $$modality && \
		$(BIN)/python -m recipes.latents $$modality || exit 1; \
	done
	for seed in 2 3 4; do $(BIN)/python -m recipes.latents video --seed $$seed || exit 1; done
	$(BIN)/python -m recipes.decoder
	$(BIN)/python -m recipes.latents mesh --seed 2
	$(BIN)/python -m recipes.flow --compile
	$(BIN)/python -m recipes.diffusion --compile
	$(BIN)/python -m recipes.export
	$(BIN)/python -m recipes.pictures
