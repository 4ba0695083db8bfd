"""What the package ``opensmtpd.table`` loads when it is imported, and what later."""

import subprocess
import sys

import pytest

from opensmtpd import table
from opensmtpd.table.matching import Patterns


def test_all_names_are_there() -> None:
    assert table.Patterns is Patterns
    assert all(getattr(table, name) for name in table.__all__)


def test_others_are_not() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Pattern'"):
        _ = table.Pattern


@pytest.mark.parametrize(
    "module",
    ["opensmtpd.backends.ldap.worker", "opensmtpd.backends.sqlite.wal.worker"],
)
def test_the_worker_of_a_table_matches_no_keys(module: str) -> None:
    code = f"import sys, {module}; print('opensmtpd.table.matching' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True)
    assert run.stdout == b"False\n"
