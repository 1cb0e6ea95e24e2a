# make demo: the main job on a rendered floor. make demo-train: with a pose network. make test: the tests.
# All set up .venv first, where it is missing: the demo without torch, the others with everything.
# make long: what takes long (soaks, kill loops, every lens and scheme), all of which make test has a sample of.
# make search: properties, with other examples each time. make docs: the reference, into docs/_build.
# make fuzz: a million inputs to each reader of files, for hours; FUZZ='tum camera': to these. Findings: fuzz_findings/.
# make sbom: what is installed in .venv, with licences, as sbom.cdx.json (CycloneDX); docs/licences.md says more.
# make test-wheels PYTHON=python3.12: the fast ROS tests on the wheels of Kilted; WHEELS=ros: on those of Jazzy.
PYTHON ?= python3
VENV := .venv
WHEELS := kilted
WHEELS_VENV := .venv-$(WHEELS)
BIN := $(VENV)/bin
DEMO := demo_out
FUZZ :=

.PHONY: demo demo-train test long search fuzz test-wheels lint docs sbom clean
.DELETE_ON_ERROR:

$(VENV)/made:
	@$(PYTHON) -c 'import sys, venv, ensurepip; assert (3, 10) <= sys.version_info[:2]' \
	  || { echo "needs Python 3.10 or later with venv: apt install python3-venv, or make PYTHON=python3.12 ..."; exit 2; }
	$(PYTHON) -m venv $(VENV)
	touch $(VENV)/COLCON_IGNORE
	$(BIN)/python -m pip install --quiet --upgrade pip
	touch $@

# What runs the demo, and all but training: no torch.
$(VENV)/runs: $(VENV)/made setup.py pyproject.toml requirements.lock
	@echo "installing into $(VENV): 1.4 GB, a minute or two"
	$(BIN)/python -m pip install --quiet --no-compile --constraint requirements.lock --editable '.[robot,map,sim,ros]'
	touch $@

$(VENV)/installed: $(VENV)/made setup.py pyproject.toml requirements.lock
	@echo "installing into $(VENV): several GB, a few minutes"
	$(BIN)/python -m pip install --quiet --constraint requirements.lock --editable '.[all,dev]'
	touch $@

demo: $(VENV)/runs
	$(BIN)/campose_demo $(DEMO)

demo-train: $(VENV)/installed
	$(BIN)/campose_demo $(DEMO) --train

# Two processes share the machine with one thread each. Nodes that talk over DDS come after them, in two domains: they
# wait more than they work; a soak has the machine for itself. Both halves run.
TWO := --numprocesses 2 --dist loadfile
test: KIND := not long
test: NODES := $(TWO)
long: KIND := long
test long: $(VENV)/installed $(VENV)/viewer_client
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest test -m '$(KIND)' --ignore test/ros $(TWO); \
	core=$$?; $(BIN)/python -m pytest test/ros -m '$(KIND)' $(NODES) && exit $$core

# What Lichtblick and Foxglove read with, for the tests of what they are sent.
$(VENV)/viewer_client: test/support/viewer_client/package-lock.json | $(VENV)/made
	@npm ci --ignore-scripts --no-audit --no-fund --silent --prefix $(<D) && touch $@ \
	  || echo "npm is not installed, or cannot reach its registry: tests with the viewers' own client are skipped"

# Properties, with examples that `make test` does not try.
search: $(VENV)/installed
	OMP_NUM_THREADS=1 HYPOTHESIS_PROFILE=search $(BIN)/python -m pytest $$(grep -lr hypothesis test --include='test_*.py')

fuzz: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --editable '.[fuzz]'
	OMP_NUM_THREADS=1 $(BIN)/python test/fuzz/run.py $(FUZZ)

$(WHEELS_VENV)/installed: setup.py
	$(PYTHON) -m venv $(WHEELS_VENV)
	touch $(WHEELS_VENV)/COLCON_IGNORE
	$(WHEELS_VENV)/bin/python -m pip install --quiet --editable '.[map,bag,view,test,$(WHEELS)]'
	touch $@

test-wheels: $(WHEELS_VENV)/installed
	$(WHEELS_VENV)/bin/python -m pytest test/ros -m 'not slow'

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(VENV)/installed
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going --jobs 2 docs docs/_build

# In an environment of its own: what the tool needs is no part of the list, and its lark overwrites that of ROS.
.venv-sbom/bin/cyclonedx-py:
	$(PYTHON) -m venv .venv-sbom
	touch .venv-sbom/COLCON_IGNORE
	.venv-sbom/bin/python -m pip install --quiet 'cyclonedx-bom>=7,<8'

sbom: $(VENV)/installed .venv-sbom/bin/cyclonedx-py
	.venv-sbom/bin/cyclonedx-py environment --output-format JSON --output-file sbom.cdx.json $(BIN)/python

clean:
	rm -rf $(VENV) .venv-* $(DEMO) sbom.cdx.json test/support/viewer_client/node_modules
