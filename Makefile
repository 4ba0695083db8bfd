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
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -e '.[dkim,dns,tables,postgres,mysql,operator,dev]'
	@touch $@

packages:
	@$(PYTHON) tests/lab/root/packages.py

demo: packages setup
	@$(LAB) demo

demo-shell: packages setup
	@$(LAB) shell

# Parts of the tests, each in a private network of its own, five at a time: most wait for servers
# most of the time. The next begins when one has ended, the longest first, so that both processors
# have work to the end; what a part prints is shown then. The tests that install our Debian packages
# are one part, which builds them once.
define PARTS
tests/packaging tests/integration/docs/test_running.py tests/integration/docs/test_ways.py tests/integration/examples tests/integration/packages
tests/integration/check
tests/integration/table_flat tests/integration/table_passwd tests/integration/table_sqlite
tests/integration/dnsbl tests/integration/rdns
tests/property tests/unit/opensmtpd_cli
tests/integration/docs/test_cookbook.py tests/integration/docs/test_servers_page.py tests/integration/guide
tests/integration/auth tests/integration/chaos tests/integration/dkimsign
tests/integration/databases tests/integration/table_ldap tests/integration/table_mysql
tests/integration/cli tests/integration/core
tests/integration/table_dovecot tests/integration/table_postgres tests/integration/table_redis tests/integration/table_socketmap
tests/integration/limit
tests/integration/milter
tests/integration/greylist tests/integration/rspamd
tests/integration/fleet tests/integration/metrics tests/integration/record tests/integration/senderscore tests/integration/state
tests/integration/archive tests/integration/headers
endef
OTHERS := tests $(patsubst %,--ignore=%,$(PARTS))
export PARTS OTHERS

test: packages setup
	@printf '%s\n' "$$OTHERS" "$$PARTS" | xargs -d '\n' -n 1 -P 5 sh -c 'log=$$(mktemp); \
		trap '\''cat "$$log"; rm "$$log"'\'' EXIT; trap "exit 130" INT TERM; \
		$(LAB) run $(BIN)/pytest $$1 >"$$log" 2>&1; exit $$?' part

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

# All of it takes some twenty minutes. ARGS="--only signing" measures one subject, and
# ARGS="--only signing --help" lists its options.
bench: packages setup
	@$(LAB) bench $(ARGS)

# ARGS="--help" names the options.
chaos: packages setup
	@$(LAB) chaos $(ARGS)

clean:
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find $(CODE) -name __pycache__ -prune -exec rm -rf {} +
