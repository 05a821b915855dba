# hpc.slurm_jwt: everything is generated below .work; `make clean` and `make demo-down` leave nothing behind.

SHELL := /bin/sh
READY := .work/ready
RUN := tests/run

.DEFAULT_GOAL := help
.PHONY: help setup demo demo-down test matrix soak bench lint unit sanity docs build molecule clean

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

lint: $(READY) ## ruff, mypy, vermin, yamllint, ansible-lint, antsibull-docs, antsibull-changelog
	@$(RUN) lint

unit: $(READY) ## unit tests
	@$(RUN) unit

sanity: $(READY) ## ansible-test sanity of every supported ansible-core
	@$(RUN) sanity

molecule: $(READY) ## all scenarios on real clusters; one: tests/run molecule/NAME
	@$(RUN) images molecule

build: $(READY) ## the collection's tarball, in .work/dist
	@tests/stage/tarball --only-build

docs: $(READY) ## the reference of modules, roles and guides, in .work/docs
	@tests/stage/docs

clean: ## remove .work, the images and clusters of the lab stay
	rm -rf .work
