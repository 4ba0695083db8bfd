# What a developer runs. Everything but lab's Debian packages and roots stays in this tree.

PYTHON ?= python3
BIN := .venv/bin
LAB := PYTHONPATH=tests $(BIN)/python -m lab
CODE := src filters tables examples tests bench docs

.NOTPARALLEL:
.PHONY: setup packages demo demo-shell test lint docs dist deb bench chaos clean

setup: .venv/installed

# Only where this Python cannot make a .venv is a Debian package asked for (python3-venv).
.venv/installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed")'
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || $(PYTHON) tests/lab/root/packages.py
	@echo "setup: making .venv"
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -e '.[dkim,dns,tables,operator,dev]'
	@touch $@

packages:
	@$(PYTHON) tests/lab/root/packages.py

demo: packages setup
	@$(LAB) demo

demo-shell: packages setup
	@$(LAB) shell

# Four parts side by side, each in a private network of its own: three that start servers, which wait
# for them most of the time, and all other tests. The output of the first part is shown as it comes.
FILTERS := $(addprefix tests/integration/,auth chaos cli core dkimsign dnsbl)
OPERATOR := $(addprefix tests/integration/,check docs metrics record)
SERVERS := tests/integration tests/packaging

test: packages setup
	@logs=$$(mktemp -d); \
	$(LAB) run $(BIN)/pytest $(SERVERS) $(FILTERS:%=--ignore=%) $(OPERATOR:%=--ignore=%) & first=$$!; \
	$(LAB) run $(BIN)/pytest $(FILTERS) >"$$logs/2" 2>&1 & second=$$!; \
	$(LAB) run $(BIN)/pytest $(OPERATOR) >"$$logs/3" 2>&1 & third=$$!; \
	$(LAB) run $(BIN)/pytest $(SERVERS:%=--ignore=%) >"$$logs/4" 2>&1; status=$$?; \
	for part in $$first $$second $$third; do wait $$part || status=$$?; done; \
	cat "$$logs"/*; rm -rf "$$logs"; exit $$status

lint: setup
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/mypy --strict $(CODE)

# The manual pages among them are made HTML by mandoc, which is one of the packages.
docs: packages setup
	@$(BIN)/sphinx-build -q -W --keep-going -d build/docs/doctrees docs build/docs/html
	@echo "docs: build/docs/html/index.html"

dist: setup
	@$(BIN)/hatchling build -d dist

# With the system's own Python and its packages: no .venv, and nothing of the lab.
deb:
	@$(PYTHON) tests/lab/root/packages.py building
	@PYTHONPATH=tests $(PYTHON) -B -m lab.root.debs dist

bench: packages setup
	@$(LAB) bench

# ARGS="--help" names the options.
chaos: packages setup
	@$(LAB) chaos $(ARGS)

clean:
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find $(CODE) -name __pycache__ -prune -exec rm -rf {} +
