# make demo    install, run the campaign of config.yaml, print its summary
# make test    install, run all tests but those that take longer than 20 s; make test-slow: those
# make test-slurm   install, run the workflow on a SLURM cluster of this one computer; as root
# make test-browser   install, look at a report in Chromium; as root where that is missing
# make test-gromacs   install, run simulations by packmol and GROMACS; as root where these are missing
# make reliability   run all tests that inject faults, count what comes of them in docs/reliability.md
# make reproduced CAMPAIGN=chno   run campaigns/reduced/chno.yaml, keep its tables in docs/reproduced
# make bench   speed and memory beside hippynn, into docs/performance.md; make bench-quick: ratios
# make bench-hessians   what training on Hessians costs, into docs/hessians.md

PYTHON ?= python3
VENV := .venv
PIP := $(VENV)/bin/python -m pip install --quiet --constraint envs/constraints.txt
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.PHONY: install demo reproduced test test-slow test-slurm test-browser test-gromacs reliability lint
.PHONY: bench bench-quick bench-hessians docs clean

install: $(VENV)/installed

# torch first and by its exact version: a range would fetch the newest build and its CUDA libraries.
$(VENV)/installed: pyproject.toml setup.py envs/constraints.txt $(wildcard mlipkd/hipnn/engines/cpu/*.cpp mlipkd/hipnn/engines/cpu/*.h)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "mlipkd needs Python 3.11 or newer: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) torch==2.13.0
	$(PIP) --editable '.[workflow,test,lint]'
	touch $@

demo: install
	snakemake --profile workflow/profiles/local
	@cat results/summary.md

reproduced: install
	@test -f 'campaigns/reduced/$(CAMPAIGN).yaml' || { echo 'expected CAMPAIGN=..., one of:'; ls campaigns/reduced; exit 2; }
	snakemake --profile workflow/profiles/local --configfile 'campaigns/reduced/$(CAMPAIGN).yaml' \
		--directory 'runs/$(CAMPAIGN)'
	mkdir -p 'docs/reproduced/$(CAMPAIGN)'
	cp 'runs/$(CAMPAIGN)/results/summary.md' 'docs/reproduced/$(CAMPAIGN)/'
	cp -r 'runs/$(CAMPAIGN)/results/figures' 'docs/reproduced/$(CAMPAIGN)/'
	find docs/reproduced -name '*.sha256' -delete

# One thread for each of the tests that run side by side.
PYTEST := OMP_NUM_THREADS=1 python -m pytest --numprocesses auto --dist loadfile

test: install
	$(PYTEST) -m 'not slow'

test-slow: install
	$(PYTEST) -m slow

reliability: install
	$(eval COUNTS := $(shell mktemp -d))
	python -m pytest --count-faults $(COUNTS) tests/slurm
	$(PYTEST) --count-faults $(COUNTS) tests/faults tests/workflow \
		tests/unit/datasets/test_hdf5_safety.py tests/unit/distillation/test_merge.py
	python -m benchmarks.reliability $(COUNTS) > docs/reliability.md

# On cores that the cluster's jobs share with the runs that they are compared with.
test-slurm: install
	python -m pytest tests/slurm

test-browser: install
	python -m pytest tests/browser

test-gromacs: install
	python -m pytest tests/gromacs

lint: install
	ruff check .
	ruff format --check .
	mypy mlipkd

bench: $(VENV)/benchmarks-installed
	python -m benchmarks.speed

bench-quick: $(VENV)/benchmarks-installed
	@python -m benchmarks.speed --quick

bench-hessians: install
	python -m benchmarks.hessians

$(VENV)/benchmarks-installed: $(VENV)/installed
	$(PIP) --editable '.[bench]'
	touch $@

docs: install
	python -m mlipkd.campaign.reference > docs/config.md

# Leaves results/ alone.
clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
