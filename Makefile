# `make help` lists the targets. Each sets up what it needs first.
PYTHON ?= python3
VENV   := $(CURDIR)/.venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
FOLDER ?=
EXTRAS := $(VENV)/.extras
DEMO   := $(VENV)/.demo

.DEFAULT_GOAL := help
.PHONY: help setup sweep report demo test test-slow check format gradients docs bench clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: $(READY)  ## a .venv with the pinned dependencies and this package, editable

# On a terminal pip shows what it downloads and how far it is, elsewhere only what goes wrong.
PIP_INSTALL = if [ -t 1 ]; then quiet=; else quiet=--quiet; fi; \
  $(BIN)/python -m pip install $$quiet --constraint constraints.txt --editable

$(READY): pyproject.toml constraints.txt
	@echo "First, once: a Python environment in .venv. pip downloads 3 GB on Linux (PyTorch"
	@echo "with CUDA), 0.4 GB on macOS, and then unpacks it for minutes without a word:"
	@echo "ten minutes in all at 100 Mbit/s, two or three for 0.4 GB. Linux without a GPU"
	@echo "needs 0.4 GB only: see Install in README.md. Ctrl-C stops; make goes on later."
	$(PYTHON) -m venv $(VENV)
	@$(PIP_INSTALL) '.[dev]'
	@touch $@

$(EXTRAS): $(READY)
	@echo "Once: pip adds Gradio, Ray and submitit to .venv: 120 MB, a minute or two."
	@$(PIP_INSTALL) '.[dev,demo,ray,slurm]'
	@touch $@

$(DEMO): $(READY)
	@echo "Once: pip adds Gradio, which serves the page, to .venv: 40 MB, half a minute."
	@$(PIP_INSTALL) '.[dev,demo]'
	@touch $@

sweep: $(READY)  ## the main job: six optimizers compared
	@echo "Six optimizers on the first 100 poems of 全唐诗, the complete Tang poems: a"
	@echo "minute on two cores. Ctrl-C stops it, and the same command goes on."
	$(BIN)/python src/train.py -m optimizer=sgd,momentum,adam,adagrad,adadelta,rmsprop

report: $(READY)  ## a page over all sweeps; of one: make report FOLDER=outputs/optimizer
	$(BIN)/python src/report.py $(FOLDER)

demo: $(DEMO)  ## a local page that composes poems
	@echo "A page that writes Tang poems with the bundled model or with runs of your own,"
	@echo "for this machine alone."
	@echo "It opens in a browser in some ten seconds; Ctrl-C ends it."
	$(BIN)/python -m tangsweep.demo

test: $(READY)  ## the tests
	@echo "The tests: about five minutes on two cores."
	$(BIN)/python -m pytest -n 2

test-slow: $(EXTRAS)  ## the slow tests: real sweeps, killed, on Ray and Slurm; the page in Chromium
	@echo "The slow tests: some twenty minutes on two cores. Hydra's own tests of launchers come first and"
	@echo "alone: they look for log files that Hydra sets up once a process."
	$(BIN)/python -m pytest -m slow tests/hydra_plugins
	$(BIN)/python -m pytest -m slow -n 2 --dist loadfile --ignore tests/hydra_plugins

check: $(READY)  ## lint, format, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy src

format: $(READY)  ## mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

gradients: $(READY)  ## measure every derivative against autograd, into docs/gradients.md
	$(BIN)/python -m tests.analytic.errors

docs: $(READY)  ## write docs/configuration.md from the typed config
	$(BIN)/python -m tests.config.configuration_page

bench: $(READY)  ## a training step against torch.nn.LSTM's, as tables
	$(BIN)/python benchmarks/step.py

clean:  ## build products only; never data/ or outputs/
	rm -rf $(VENV) build .pytest_cache .mypy_cache .ruff_cache .hypothesis src/*.egg-info
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
