# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# hpc.slurm_jwt: everything that is generated lies below .work, but for the images and clusters of tests/lab.

SHELL := /bin/sh
READY := .work/ready
RUN := tests/run

.DEFAULT_GOAL := help
.PHONY: help setup demo demo-down test soak matrix bench lint unit sanity molecule build docs clean

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

setup: $(READY) ## install what tests and demo need: system packages, .work/venv
$(READY): tests/setup tests/requirements.txt $(wildcard tests/lab/prerequisites)
	@tests/setup
	@touch $@

demo: $(READY) ## a real Slurm cluster in four containers gets JWT, and a REST job runs with a token
	@tests/lab/demo

demo-down: $(READY) ## remove the demo's cluster
	@tests/lab/demo --down

test: $(READY) ## everything that must pass, on real clusters too
	@$(RUN)

lint: $(READY) ## ruff, mypy, vermin, yamllint, ansible-lint, antsibull-docs, antsibull-changelog, reuse
	@$(RUN) lint

unit: $(READY) ## unit tests
	@$(RUN) unit

sanity: $(READY) ## ansible-test sanity of every supported ansible-core
	@$(RUN) sanity

molecule: $(READY) ## all scenarios on real clusters; one: tests/run molecule/NAME
	@$(RUN) images molecule

matrix: $(READY) ## every scenario with every release of Slurm, two at a time; takes hours
	@$(RUN) --matrix

soak: $(READY) ## 20,000 configurations before each release's parser, 100,000 key sets, a rotation killed at each task; takes hours
	@cd .work/collections/ansible_collections/hpc/slurm_jwt && PYTHONPATH=$(CURDIR)/.work/collections \
		$(CURDIR)/.work/venv/bin/python -m pytest -q -m soak tests/unit/plugins/module_utils/_jwks/test_fuzz.py
	@.work/venv/bin/python tests/conformance/key_sets --generated 100000 --tokens 200 --check-table
	@.work/venv/bin/python tests/conformance/configurations --generated 20000
	@KILL_EVERY=1 $(RUN) --matrix molecule/rotation-killed@24.11

bench: $(READY) ## measure, side by side with doing it by hand, and write docs/benchmarks.md; takes two hours
	@tests/bench/bench

build: $(READY) ## the collection's tarball, in .work/dist
	@tests/stage/tarball --only-build

docs: $(READY) ## the HTML documentation: guides, reference, changelog, benchmarks and releases, in .work/docs/html
	@.work/venv/bin/python tests/stage/site.py

clean: ## remove .work; images and clusters stay: tests/lab/lab --help
	rm -rf .work
