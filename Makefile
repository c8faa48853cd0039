# SPDX-License-Identifier: Apache-2.0
# `make help` lists the targets. VERSION has one home: galaxy.yml.
VERSION    := $(shell tools/release/version)
BUILD      := build
VENV       := .venv
PY         := $(VENV)/bin/python
PYTEST     := $(PY) -m pytest -rs --durations=15
COLLECTION := $(BUILD)/kontain-platform-$(VERSION).tar.gz
SHELL_FILES = $(shell grep -rlE --exclude-dir=.git --exclude-dir=$(VENV) --exclude-dir=$(BUILD) --exclude='*.md' --exclude='*.py' '^\#!/(bin/|usr/bin/env )(ba)?sh' .)
C_FILES     = $(wildcard km/src/*.[ch] km/src/*/*.[ch] krun/launcher/*.[ch] toolchain/*.c bench/*.c examples/*/*.c)
C_PAYLOADS  = $(wildcard tests/km/payloads/*.[ch]) # what is wrong in these is so on purpose
PARTS       = preflight host command fleet krun toolchain runenv deploy examples tools bench molecule tests
STAGES     := molecule test-cluster test-parts test-km test-krun test-collection test-runenv test-docs
LANE       :=# short, long (tests/long.md) or whole (tests/whole.md); else all
LANE_short := -m 'not long and not whole'
LANE_long  := -m long
LANE_whole := -m whole

export RELEASE_KEY RELEASE_URL
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.DEFAULT_GOAL := help
.PHONY: help deps venv km krun hello runenv collection bundle node-image ruff mypy shell ansible c rooms words check $(STAGES)
.PHONY: unit test test-long molecule-all site sources bench clean dist

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1	/p' $(MAKEFILE_LIST) | expand -t 17

deps: ## install the Debian packages that are needed (as root; else say which are missing)
	@tools/ci/deps tools/ci/debian-packages.txt

venv: $(VENV)/.stamp ## the Python tools, of pyproject.toml's group "dev"
$(VENV)/.stamp: pyproject.toml
	python3 -m venv $(VENV)
	$(PY) -m pip install --quiet --upgrade pip
	$(PY) -m pip install --quiet --group dev
	@[ ! -e .git ] || git config core.hooksPath tools/hooks # commit-msg judges messages
	touch $@

km: ## build the monitor, build/km/km
	$(MAKE) -C km

krun: ## build the launcher of the runtime, and lay it out as in a release, build/krun
	$(MAKE) -C krun/launcher

hello: ## build gcc-kontain's tree, build/toolchain, and the hello payload, build/hello.km
	$(MAKE) -C toolchain

collection: venv ## build the collection's tarball
	@new=$(BUILD)/collection.$$$$ && ansible-galaxy collection build --output-path "$$new" && \
	mv "$$new"/* $(BUILD) && rmdir "$$new" # whole at any moment: another stage may read it

runenv: ## build the payload-only images, build/runenv/*.tar
	command/bin/kontain image build --all --output $(BUILD)/runenv

node-image: venv bundle ## build the image of Kubernetes nodes, build/node/kubernetes.tar
	PYTHONPATH=host:preflight:runenv $(PY) -m tools.release.node_image $(VERSION)

# install.sh makes a bundle where there is no Ansible yet; such a bundle has no collection in it.
HAS_VENV := $(wildcard $(VENV)/.stamp)
bundle: km krun hello $(if $(HAS_VENV),collection) ## build the bundle, build/kontain-VERSION-x86_64.tar.gz
	python3 -m tools.release.bundle $(VERSION) $(if $(HAS_VENV),$(COLLECTION))

dist: venv bundle ## make a release, build/dist/: RELEASE_KEY=FILE is the private key, RELEASE_URL its place
	PYTHONPATH=host $(PY) -m tools.release.dist $(VERSION) $(COLLECTION)

check: ruff mypy shell ansible c rooms words ## all that reads the sources without running them

ruff: venv
	ruff check .
	ruff format --check .
	vermin --quiet --no-tips --eval-annotations --violations -t=3.9- preflight/kontain_preflight host/kontain_host command/kontain_command command/bin/kontain plugins/modules $(wildcard plugins/module_utils/*.py)

# One run for each part: parts may have files of one name, such as conftest.py.
mypy: venv
	@for part in $(PARTS); do echo "mypy $$part"; mypy "$$part" || exit; done

shell: venv
	shellcheck $(SHELL_FILES)
	shfmt -d $(SHELL_FILES)

# ansible-lint finds kontain.platform by this link to the root.
LINK := .ansible/collections/ansible_collections/kontain/platform
ansible: venv
	@mkdir -p $(dir $(LINK)) && ln -sfn ../../../.. $(LINK)
	yamllint .
	ANSIBLE_COLLECTIONS_PATH=$(CURDIR)/.ansible/collections ansible-lint

# Off: the kernel's flags are signed ints; a monitor turns numbers into addresses, some of them fixed;
# qsort and realloc take an array of strings as it is.
TIDY_OFF   := -bugprone-signed-bitwise,-performance-no-int-to-ptr
TIDY_OFF   := $(TIDY_OFF),-clang-analyzer-optin.core.FixedAddressDereference
TIDY_OFF   := $(TIDY_OFF),-bugprone-multi-level-implicit-pointer-conversion
TIDY_FLAGS := -std=gnu11 -D_GNU_SOURCE -iquote km/src -DKM_VERSION='""' -Wno-gnu-variable-sized-type-not-at-end -nostdlibinc \
              -isystem /usr/include/x86_64-linux-musl -idirafter /usr/include -idirafter /usr/include/x86_64-linux-gnu
CPPCHECK   := cppcheck --quiet --std=c11 -I km/src '-D_Noreturn=__attribute__((noreturn))' \
              --enable=warning,portability,performance --error-exitcode=1
c: venv
	@echo clang-format, cppcheck, clang-tidy
	@clang-format --dry-run --Werror $(C_FILES) $(C_PAYLOADS)
	@$(CPPCHECK) $(C_FILES)
	@printf '%s\n' $(filter %.c,$(C_FILES)) | xargs -P 2 -I {} clang-tidy --quiet --checks=$(TIDY_OFF) {} -- $(TIDY_FLAGS)

# What km's objects call, and what Python imports, tells which room or part knows which.
rooms: venv km
	$(PYTEST) --quiet tests/km/test_rooms.py tests/collection/test_layers.py tests/collection/test_linked_modules.py

words: venv
	codespell
	$(PY) tools/docs/words.py

unit: venv km krun hello ## the tests that need neither KVM nor root nor time
	$(PYTEST) -m "not needs_kvm and not needs_root and not slow" tests

# Two at a time: the first emulates a CPU, and the others wait a lot.
IN_STAGES = $(PY) -m tools.ci.stages --at-once 2 --made bundle --lane

test: deps ## set up, and prove each part: `check`, then the short lane of the stages below
	$(MAKE) venv
	$(MAKE) bundle
	$(IN_STAGES) short check $(STAGES)

test-long: deps ## set up, and prove the rest: the long lane, which tests/long.md lists
	$(MAKE) venv
	$(MAKE) bundle
	$(IN_STAGES) long $(STAGES)

test-whole: deps ## set up, and prove by whole applications and clusters, which tests/whole.md lists
	$(MAKE) venv
	$(MAKE) bundle
	$(IN_STAGES) whole test-cluster test-km test-krun

test-parts: venv km krun hello ## preflight, host, command, fleet, toolchain, tools, bench and molecule's driver
	$(PYTEST) $(LANE_$(LANE)) $(addprefix tests/,preflight host command fleet toolchain tools bench molecule)

test-km: venv km hello ## km: payloads in a VM against the same natively
	$(PYTEST) $(LANE_$(LANE)) tests/km

test-krun: venv bundle ## krun: over runc and crun, and under podman and docker
	$(PYTEST) $(LANE_$(LANE)) tests/krun

test-runenv: venv bundle ## the payload-only images and the examples, under podman and docker
	$(PYTEST) $(LANE_$(LANE)) tests/runenv tests/examples

test-collection: venv bundle ## the collection's tarball, and install.sh in a copy of this system
	$(PYTEST) $(LANE_$(LANE)) tests/collection

test-docs: venv bundle ## every command of README.md and docs/
	$(PYTEST) $(LANE_$(LANE)) tests/docs

test-cluster: venv bundle ## Kubernetes: manifests, and a cluster, built from Debian's source package once
	$(PYTEST) $(LANE_$(LANE)) tests/deploy

molecule: venv bundle ## whole hosts, in virtual machines with real SVM: what a commit needs
	$(PY) tools/vm/scenarios $(addprefix --lane ,$(LANE))

molecule-all: venv bundle ## the same on each distribution, with all tests; fills the support matrix
	$(PY) tools/vm/scenarios --all --record; status=$$?; $(PY) -m tools.docs.support_matrix; exit $$status

site: venv ## the documents as a site, build/site/index.html; any warning is an error
	$(PY) -m tools.docs.site_pages

sources: venv km hello ## real projects by gcc-kontain, their own tests under km; writes the page of results
	$(PY) -m toolchain.sources.projects

bench: venv km krun hello ## the figures, beside their budgets
	$(PY) bench/run.py
	$(PY) bench/check.py
	$(PY) bench/krun_create.py
	$(PY) bench/engines.py
	$(PY) bench/fleet/run.py --ssh 8

clean: ## remove what was built, but not the tools
	rm -rf $(BUILD) .mypy_cache .ruff_cache .pytest_cache
