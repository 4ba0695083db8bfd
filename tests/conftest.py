"""What tests of several folders share.

Hypothesis as the tests want it: no deadlines, no files, in CI the same examples each time.
"""

import gc
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import settings

from lab.root.debs import build, obstacle
from lab.support import need_stage
from opensmtpd import answer
from opensmtpd.backends.sqlite import connection
from opensmtpd.dns.resolver import resolver
from opensmtpd.mail.dkim.keys import memory
from opensmtpd.table.passwords import checks
from opensmtpd.testing.zone import Zone
from opensmtpd.worker import Pool

settings.register_profile("dev", deadline=None, database=None)
settings.register_profile("ci", deadline=None, database=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "dev")


@pytest.fixture(scope="session", autouse=True)
def readable() -> Iterator[None]:
    """Leave this process as it is where a test loads a key: other tests read /proc/self.

    ``unit/mail/dkim/keys/test_memory.py`` tests the guard in processes of its own.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memory, "guard", lambda: None)
        yield


@pytest.fixture(scope="session", autouse=True)
def roomy() -> Iterator[None]:
    """Leave SQLite its memory: its limit is one for the process, and here are many databases.

    ``unit/backends/sqlite/test_connection.py`` tests the limit in processes of its own.
    """
    with closing(sqlite3.connect(":memory:")) as database:
        limit = database.execute("PRAGMA hard_heap_limit").fetchone()
    assert limit == (0,), "a module of tests opened a database when it was imported"
    kept = tuple(each for each in connection.PRAGMAS if "heap" not in each)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connection, "PRAGMAS", kept)
        yield


@pytest.fixture(scope="module", autouse=True)
def no_workers() -> Iterator[None]:
    """End the workers that the tests of a module have left: nothing polls them any more."""
    yield
    checks.checks.cache_clear()
    if answer.sources():  # or it would take two seconds behind each of hundreds of modules
        gc.collect()  # pools end with the plugins that keep them
    for source in answer.sources():
        if isinstance(source, Pool):
            source.close()


@pytest.fixture(scope="session", autouse=True)
def unasked() -> Iterator[None]:
    """Start no process for a filter that asks the DNS: tests give it a DNS of plain data.

    Those of ``unit/dns`` import the class itself before.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resolver, "Resolver", lambda *_: Zone({}))
        yield


@pytest.fixture(scope="session")
def debs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our Debian packages, in a folder."""
    why = obstacle()
    if why and not os.environ.get("CI"):
        pytest.skip(why)
    folder = tmp_path_factory.mktemp("debs")
    build(folder)
    return folder


@pytest.fixture(scope="session")
def trixie_root() -> Path:
    """A Debian root with smtpd 7.6 and the C plugins, to be read and not written."""
    return need_stage("7.6").root
