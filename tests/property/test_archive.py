"""Whatever a message is, and however it is cut: its copy is the message, byte for byte."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from lab.peers.copies import Copies
from opensmtpd.answer import Deferred
from opensmtpd.mail.archive import envelope, orders
from opensmtpd.mail.archive.worker import ArchiveWorker
from opensmtpd.testing import run_message
from opensmtpd_filters import archive as module
from opensmtpd_filters.archive import Archive, parser

OWNER = "a" * 12


class Here:
    """Stands in for a pool: its worker is in this process, and each request is made ``times``."""

    times = 1

    def __init__(self, worker: str, setup: object, **_: object) -> None:
        self.worker = ArchiveWorker()
        self.loaded = self.worker.load(setup)

    def ask(self, request: object) -> Deferred[object]:
        done: Deferred[object] = Deferred()
        for _ in range(self.times):
            value = self.worker.handle(request)
        done.settle(value)
        return done


LINES = st.one_of(
    st.binary(max_size=20).map(lambda raw: raw.replace(b"\n", b"").replace(b"\0", b"")),
    st.sampled_from([b"", b".", b"..", b".x", b"\t", b" folded", b"X-Archive-Status: accepted",
                     b"From: a@b", b"\r", b"x" * 999, b"\xff"]),
)  # fmt: skip
MESSAGES = st.lists(LINES, max_size=30).map(lambda lines: b"".join(line + b"\n" for line in lines))
ADDRESSES = st.from_regex(rb"[a-z][a-z0-9+=_-]{0,9}@[a-z]{1,5}\.example", fullmatch=True)


@contextmanager
def folder() -> Iterator[Path]:
    """Have a folder whose files need not be on a disk."""
    with tempfile.TemporaryDirectory() as path, patch.object(os, "fsync"):
        yield Path(path)


@settings(max_examples=100, deadline=None)
@given(
    MESSAGES,
    ADDRESSES | st.just(b""),
    st.lists(ADDRESSES, min_size=1, max_size=4),
    st.integers(1, 200),
    st.integers(1, 2),
    st.sampled_from(["6.8.0", "7.6.0", "7.9.0"]),
)
def test_a_copy_is_the_message(
    message: bytes, sender: bytes, recipients: list[bytes], part: int, times: int, version: str
) -> None:
    with folder() as path, patch.object(module, "Pool", Here), patch.object(module, "PART", part):
        filter = Archive(parser().parse_args([str(path)]))
        filter.pool.times = times  # type: ignore[attr-defined]
        outcome = run_message(
            filter, message, sender=sender, recipients=recipients, version=version
        )
        assert outcome.accepted
        assert outcome.message.startswith(outcome.received)
        assert filter.orders == {}
        copy = Copies(path).one()
    assert copy.message == outcome.message
    assert (copy.status, copy.sender, copy.recipients) == ("accepted", sender, recipients)


@settings(deadline=None)
@given(
    st.binary(max_size=300),
    st.sets(st.integers(1, 299)),
    st.lists(st.integers(1, 3), min_size=12, max_size=12),
    st.booleans(),
)
def test_steps_may_be_taken_again(
    content: bytes, cuts: set[int], times: list[int], accepted: bool
) -> None:
    """A worker that dies may have done what another is asked to do."""
    name = f"1700000000.M0000001fN1.{OWNER}"
    whole = envelope.head(f"0000001fN1.{OWNER}", b"", []) + content
    places = [0, *sorted(cut for cut in cuts if cut < len(whole))[:10], len(whole)]
    with folder() as path:
        worker = ArchiveWorker()
        worker.load([str(path), OWNER, True])
        for (at, end), again in zip(pairwise(places), times, strict=False):
            for _ in range(again):
                worker.handle([orders.WRITE, name, at, whole[at:end], end == len(whole)])
        copies = Copies(path)
        assert (copies.path / "tmp" / name).read_bytes() == whole
        for _ in range(times[-1]):
            worker.handle([orders.ACCEPT if accepted else orders.DROP, name])
        assert copies.names("tmp") == []
        assert [each.message for each in copies.all()] == ([content] if accepted else [])
