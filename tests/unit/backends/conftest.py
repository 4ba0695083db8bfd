"""SQLite's limit of memory is one for the process, and here are many databases in one."""

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="module")
def memory_of_other_databases() -> Iterator[None]:
    """Free what the databases of a module's tests have left."""
    gc.collect()
    yield
    gc.collect()
