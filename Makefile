# make run    trains the embedded model in seven domains and writes runs/seven_domain/report.html
# make test   runs the tests but those marked slow, two at a time; make test-all runs all of them
# make chat   a page on this machine that talks with the starting and the trained model, side by side
# make setup  only makes .venv with the pinned dependencies
# make bench  times the GRPO step beside a bare Tunix script, and the rewards

PYTHON ?= python3
VENV := .venv
PIP := $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
CONFIG ?= experiments/seven_domain.py
WORKDIR ?= runs/seven_domain

.PHONY: setup run chat test test-all bench

setup: $(VENV)/.installed

# A stamp: a second call reinstalls nothing, a changed requirement does.
$(VENV)/.installed: setup.py constraints.txt
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(PIP) --editable .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(PIP) --editable '.[dev,semantic]'
	touch $@

run: setup
	$(VENV)/bin/python -m reasoner.main --config=$(CONFIG) --workdir=$(WORKDIR)

$(VENV)/.installed-chat: $(VENV)/.installed
	$(PIP) --editable '.[chat]'
	touch $@

chat: $(VENV)/.installed-chat
	$(VENV)/bin/python -m reasoner.chat --workdir=$(WORKDIR) --serve

# A file stays with one process, since its tests share what is dear to make.
PYTEST := $(VENV)/bin/python -m pytest --numprocesses=2 --dist=loadfile --no-loadscope-reorder

# Most of its time is compiling, and without optimizations that takes half; test-all has programs as users do.
test: $(VENV)/.installed-dev
	JAX_DISABLE_MOST_OPTIMIZATIONS=1 $(PYTEST) -m "not slow"

test-all: $(VENV)/.installed-dev
	$(PYTEST)

bench: setup
	$(VENV)/bin/python -m reasoner.benchmark
	$(VENV)/bin/python -m rewards bench
