"""Each answer of table-sqlite is that of the last change which was complete, kept or not.

Real files on a real file system; the changes are those of ``make chaos``, one at a time between two
questions, so that there is exactly one right answer. Changes that meet questions are in
``lab.shows.writers``, and clocks with other ticks in ``test_kept.py``.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from lab.shows import writers
from opensmtpd._protocol.table.connection import TableConnection
from opensmtpd.backends.sqlite import current, database
from unit.support.lookups import HELLO, answer, check, lookup

TICK = 0.012
"""Seconds: more than a tick of the clock of any file system that tests run on."""
ACTS = [act for name, act in writers.ACTS.items() if name != "wal"]
KEYS = st.integers(0, writers.KEYS - 1)
QUERIES = """\
query_alias SELECT value FROM rows WHERE key = ?
query_domain SELECT value FROM rows WHERE key = 'k0' AND ? IN (key, '*.' || value)
patterns_domain SELECT '*.' || value FROM rows WHERE key = 'k0'
"""


class Model(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(current, "is_local", lambda path: True)
        self.patch.setattr(database, "QUERY_SECONDS", 60.0)  # the machine may be busy
        self.resting = writers.resting(0.0)
        self.resting.__enter__()
        self.folder = tempfile.TemporaryDirectory()

    @initialize()
    def begin(self) -> None:
        self.path = writers.make(Path(self.folder.name, "test.db"), 0)
        settings = self.path.with_suffix(".conf")
        settings.write_text(f"dbpath {self.path}\n{QUERIES}")
        self.table = writers.Counting(argparse.Namespace(path=str(settings), check=False))
        self.connection = TableConnection(self.table, log=lambda *_, **__: None)
        self.connection.receive(HELLO, 0.0)
        self.connection.data_to_send()
        self.number = 0
        time.sleep(TICK)

    def teardown(self) -> None:
        self.resting.__exit__(None, None, None)
        self.patch.undo()
        self.folder.cleanup()

    def say(self, key: int) -> bytes:
        self.connection.receive(lookup(b"k%d" % key), 0.0)
        return self.connection.data_to_send()

    @rule(key=KEYS)
    def ask(self, key: int) -> None:
        assert self.say(key) == answer(b"found|v%d" % self.number)

    @rule(key=KEYS)
    def ask_for_what_is_kept(self, key: int) -> None:
        end, asked = time.monotonic() + 60, -1
        while asked != self.table.asked:  # the first may open it, the second learn the statement
            assert time.monotonic() < end
            asked = self.table.asked
            self.ask(key)

    @rule(ahead=st.integers(0, 2))
    def ask_for_what_matches_a_pattern(self, ahead: int) -> None:
        """The one pattern is ``*.vNUMBER``, and the literal row is ``k0``."""
        self.connection.receive(check(b"x.v%d" % (self.number + ahead), b"domain"), 0.0)
        found = b"not-found" if ahead else b"found"
        assert self.connection.data_to_send() == answer(found, b"check")

    @rule()
    def ask_for_a_literal_domain(self) -> None:
        self.connection.receive(lookup(b"k0", b"domain"), 0.0)
        assert self.connection.data_to_send() == answer(b"found|v%d" % self.number)

    @rule(act=st.sampled_from(ACTS))
    def change(self, act: writers.Act) -> None:
        if act(self.path, self.number + 1):
            self.number += 1
        time.sleep(TICK)

    @rule(key=KEYS, half=st.booleans())
    def truncate(self, key: int, half: bool) -> None:
        """Until another database takes the place of this one, there is no answer."""
        os.truncate(self.path, 4096 if half else 0)  # less than any header here says
        time.sleep(TICK)
        for _ in range(2):
            assert self.say(key).startswith(answer(b"error|")[:-1])
        self.change(writers.exchange)

    @rule(key=KEYS)
    def write_the_same_size_at_the_same_time(self, key: int) -> None:
        """As rsync and ``cp -p`` do; only the time of the inode tells."""
        before = self.path.stat()
        other = writers.make(self.path.with_name("other.db"), self.number + 1).read_bytes()
        same = other if len(other) == before.st_size else other.ljust(before.st_size, b"\0")
        self.path.write_bytes(same)
        os.utime(self.path, ns=(before.st_atime_ns, before.st_mtime_ns))
        self.number += 1
        time.sleep(TICK)
        self.ask(key)


TestModel = Model.TestCase
TestModel.settings = settings(max_examples=15, stateful_step_count=15, deadline=None)
