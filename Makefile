# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
#
# Needs python3 (3.11 to 3.13; the lock is for 3.11), make and g++. Everything else comes from PyPI into .venv on
# first use. Every recipe line is shown as it runs and also works without make.

PYTHON  ?= python3
JOBS    ?= 2
PRESET  ?= small
PRESETS := tiny small large conv
BIN     := .venv/bin
PIP     := $(BIN)/python -m pip --disable-pip-version-check

# The commands behind the targets that show something; each can be run by hand as it stands.
SIM        := $(BIN)/python -m spectramac.sim.demo
BENCH      := $(BIN)/spectramac bench
TRAIN_DEMO := $(BIN)/spectramac train-demo
# Regenerates every generated document. `make check` runs it and then compares GENERATED with git.
GENERATE   := $(BIN)/python -m spectramac.host.docs
GENERATED  := docs

READY   := .venv/.installed
TRAIN   := .venv/.train
DEVICES := .venv/.devices

.DEFAULT_GOAL := help
.PHONY: help setup setup-train sim test test-long lint format format-check types generated check verilog \
        synth bench bench-compress bench-conv bench-fft bench-narrow train-demo docs clean distclean
.DELETE_ON_ERROR:

help:  ## this list
	@awk -F ':.*## *' '/^[a-z-]+:.*##/ { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# The environment is made anew when the lock changes, and re-linked when pyproject.toml does.
.venv/.locked: requirements.lock
	$(PYTHON) -m venv --clear .venv
	$(PIP) install --no-deps -r requirements.lock
	touch $@

$(READY): .venv/.locked pyproject.toml
	$(PIP) install --no-deps --no-build-isolation -e .
	touch $@

$(TRAIN): requirements-train.lock .venv/.locked
	$(PIP) install --no-deps -r requirements-train.lock
	touch $@

$(DEVICES): requirements-devices.lock .venv/.locked
	$(PIP) install --no-deps -r requirements-devices.lock
	touch $@

setup: $(READY)  ## make .venv from requirements.lock (other targets do it on first use)

setup-train: $(READY) $(TRAIN)  ## add PyTorch to .venv

sim: $(READY)  ## classify handwritten digits on the simulated accelerator: fully-connected, then with convolutions
	$(SIM)

test: $(READY)  ## every test but the long sweeps
	$(BIN)/python -m pytest -n $(JOBS) -m "not long"

test-long: $(READY)  ## every test
	$(BIN)/python -m pytest -n $(JOBS) -m "long or not long"

lint: $(READY)  ## ruff's rules
	$(BIN)/ruff check .

format: $(READY)  ## rewrite the sources in ruff's format
	$(BIN)/ruff format .

format-check: $(READY)
	$(BIN)/ruff format --check .

types: $(READY)  ## mypy, strict
	$(BIN)/mypy sw sim hw

generated: $(READY)  ## generated documents are up to date
	$(GENERATE)
	git diff --exit-code -- $(GENERATED)

check: lint format-check types generated  ## what CI checks before the tests

verilog: $(READY)  ## Verilog of every preset and of an FFT into build/verilog, accepted by verilator -Wall
	$(foreach p,$(PRESETS),$(BIN)/spectramac verilog --preset $(p) --out build/verilog &&) true
	$(foreach p,$(PRESETS),$(BIN)/python -m spectramac.sim.toolchain --lint-only -Wall sim/lint.vlt build/verilog/$(p).v &&) true
	$(BIN)/spectramac verilog fft --points 64 --scaling halving --out build/verilog
	$(BIN)/python -m spectramac.sim.toolchain --lint-only -Wall sim/lint.vlt build/verilog/fft.v

synth: $(READY)  ## place and route PRESET=tiny|small|large|conv; prints resources and clock
	$(BIN)/python -m spectramac.sim.synth --preset $(PRESET) --json build/synth-$(PRESET).json

bench: $(READY)  ## measure speed
	$(BENCH)

bench-fft: $(READY) $(DEVICES)  ## noise, latency, resources and clock of the FFT (45 placements); writes docs/fft-bench.json
	$(BIN)/python -m spectramac.sim.bench_fft --json docs/fft-bench.json

bench-compress: $(READY) $(TRAIN)  ## every compression technique on every data set (hours); BENCH_COMPRESS_ARGS="--epochs 10"
	$(BIN)/python -m spectramac.host.bench_compress $(BENCH_COMPRESS_ARGS)

bench-conv: $(READY)  ## convolutional networks on the simulated RTL, counted cycles; BENCH_CONV_ARGS="--networks resnet8"
	$(BIN)/python -m spectramac.host.bench_conv $(BENCH_CONV_ARGS)

bench-narrow: $(READY) $(TRAIN)  ## the most accurate networks of a few kilobytes (an hour or two); BENCH_NARROW_ARGS="--seeds 1"
	$(BIN)/python -m spectramac.host.bench_narrow $(BENCH_NARROW_ARGS)

train-demo: $(READY) $(TRAIN)  ## train and compress both demonstration networks again
	$(TRAIN_DEMO)

docs: $(READY)  ## write the generated documents again
	$(GENERATE)

clean:  ## remove what was built (not .venv)
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find hw sw sim tests -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean  ## remove .venv too
	rm -rf .venv
