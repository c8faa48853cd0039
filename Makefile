# SPDX-License-Identifier: Apache-2.0
# `make help` lists the targets. VERSION has one home: galaxy.yml.
VERSION := $(shell sed -n 's/^version: *//p' galaxy.yml)
BUILD   := build
VENV    := .venv
PY      := $(VENV)/bin/python
PYTEST  := $(PY) -m pytest --durations=15

export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.DEFAULT_GOAL := help
