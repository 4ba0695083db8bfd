"""Ours and the C program beside each other in a view of the root, which has python3-ldap."""

from pathlib import Path

import pytest

from lab.support import need_stage


@pytest.fixture(scope="session")
def ldap_view() -> Path:
    """Return a view of Debian 13 with our package in it."""
    return need_stage("7.6").installed("table-ldap")
