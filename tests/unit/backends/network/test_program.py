"""A program whose connection is in a worker: one answer for each request, whatever happens."""

import itertools
import os
import re
import signal
import time
from pathlib import Path

from unit.support.child import PATIENCE
from unit.support.lookups import answer, lookup, update
from unit.support.table_child import TableChild

TESTS = Path(__file__).parents[3]
SOURCE = f"""
import sys
sys.path.insert(0, {str(TESTS)!r})
from functools import partial
from opensmtpd.backends.network.table import NetworkTable
from unit.support.network_fakes import ObedientBackend
ObedientBackend.services = frozenset([Service.ALIAS])
"""
MAIN = """
run.table(partial(NetworkTable, ObedientBackend), table_parser("table-obedient", "A table."))
"""


def child(folder: Path, *lines: str) -> TableChild:
    path = folder / "fake.conf"
    path.write_text("".join(f"{line}\n" for line in ("host there", "timeout 0.5", *lines)))
    return TableChild(folder, SOURCE, str(path), main=MAIN)


IDS = itertools.count()


def ask(table: TableChild, key: bytes) -> bytes:
    """Return the end of the answer to a lookup; one too many would be the next one's."""
    id = b"%08x" % next(IDS)
    table.send(lookup(key, id=id))
    [line] = table.lines()
    head = b"lookup-result|%s|" % id
    assert line.startswith(head)
    return line.removeprefix(head).rstrip()


def patiently(table: TableChild, key: bytes) -> bytes:
    """Ask until there is an answer that is no error."""
    end = time.monotonic() + PATIENCE
    while (found := ask(table, key)).startswith(b"error") and time.monotonic() < end:
        time.sleep(0.05)
    return found


def test_whatever_befalls_the_worker_there_is_one_answer(tmp_path: Path) -> None:
    with child(tmp_path) as table:
        table.hello()
        assert ask(table, b"bob") == b"found|bob"
        assert ask(table, b"none") == b"not-found"
        for key, start in (
            (b"die", b"error|the worker died of this question, twice"),
            (b"hang", b"error|no answer in time"),
            (b"late", b"error|it was late"),
            (b"lost", b"error|it hung up"),
            (b"refuse", b"error|no such relation"),
            (b"bug", b"error|ValueError"),
        ):
            assert ask(table, key).startswith(start)
            assert patiently(table, b"carol") == b"found|carol"
        code, _, log = table.end()
    assert code == 0
    assert "secret" not in log


def test_a_worker_that_is_killed_again_and_again(tmp_path: Path) -> None:
    with child(tmp_path, "timeout 2") as table:
        table.hello()
        for number in range(10):
            found = re.fullmatch(rb"found\|([0-9]+)", ask(table, b"pid"))
            assert found is not None
            os.kill(int(found[1]), signal.SIGKILL)
            key = b"key%d" % number
            assert patiently(table, key) == b"found|" + key
        assert table.end()[0] == 0


def test_it_starts_while_the_server_is_away(tmp_path: Path) -> None:
    path = tmp_path / "fake.conf"
    with child(tmp_path, "host away") as table:
        assert table.hello().endswith(b"register|alias\nregister|ready\n")
        assert ask(table, b"bob").startswith(b"error|fake: away")
        path.write_text("host there\n")
        table.send(update())
        assert table.lines() == [answer(b"ok", b"update")]
        assert ask(table, b"bob") == b"found|bob"
        code, _, log = table.end()
    assert (code, log.count("server-away")) == (0, 1)
