"""Hostile clients before filter-dkimsign: all is answered, and no message is changed."""

from functools import cache
from pathlib import Path
from random import Random
from typing import Literal

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from hypothesis import given, settings
from hypothesis import strategies as st

from opensmtpd._protocol.filter.connection import FilterConnection
from opensmtpd._protocol.filter.spool import Budget
from opensmtpd.testing import Smtpd
from opensmtpd.testing.sources import take_next
from opensmtpd_filters import dkimsign
from property.storm import LINES, Storm

FROM = [
    *(b"From: a@example.com", b"From: <b@sub.example.com>, c@x.example", b"From:", b"From"),
    *(b'from : "a, b" (c <d@e>) <f@g>', b" folded@example.com", b"\tx,", b"From: \xff@\xff\r"),
    *(
        b"From: " + b"(" * 2000,
        b"From: " + b'"' * 1999,
        b"DKIM-Signature: v=1",
        b": x",
        b"To: bare",
    ),
]


class Letters(Storm):
    """Clients whose messages have all kinds of headers."""

    lines = (*LINES, *FROM * 2)

    def work(self) -> None:
        """Let a thread go on or, where there is none, take what a worker has signed."""
        super().work()
        if not self.jobs and self.protocol.dispatcher.waiting():
            take_next()


@cache
def made(key: Path, canonicalization: str) -> dkimsign.DkimSign:
    """Return the filter, one for all clients: its workers take their time to start."""
    flags = ["-a", "ed25519-sha256", "-d", "example.com", "-s", "test", "-k", str(key)]
    return dkimsign.DkimSign(dkimsign.parser().parse_args([*flags, "-c", canonicalization]))


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "private.key"
    private = ed25519.Ed25519PrivateKey.generate()
    path.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    path.chmod(0o600)
    return path


@settings(max_examples=20)
@given(
    seed=st.integers(0, 2**64),
    canonicalization=st.sampled_from(["simple/simple", "relaxed/relaxed"]),
    on_failure=st.sampled_from(["tempfail", "pass"]),
    memory=st.sampled_from([0, 5000, 1 << 24]),
)
def test_no_message_is_changed(
    key: Path,
    seed: int,
    canonicalization: str,
    on_failure: Literal["tempfail", "pass"],
    memory: int,
) -> None:
    failures: list[object] = []

    def log(event: str, session: str | None = None, **fields: object) -> None:
        failures.append((event, fields))

    budget = Budget(memory, memory)
    protocol = FilterConnection(
        made(key, canonicalization), on_failure=on_failure, log=log, budget=budget
    )
    smtpd = Smtpd()
    clients = Letters(Random(seed), smtpd, protocol)
    clients.run(30)
    # A large header is looked at in a thread, and a worker signs; none of these is late here.
    while clients.jobs or protocol.dispatcher.waiting():
        clients.work()
        clients.pump()
    clients.expire()
    assert smtpd.hung() == []
    for client in smtpd.clients:
        client.vanish()
    clients.pump()
    left = (protocol.session_count, protocol.message_count, protocol.held_bytes, budget.used)
    assert left == (0, 0, 0, 0)
    assert failures == []
    accepted = [
        transaction
        for client in smtpd.clients
        for transaction in client.transactions
        if transaction.fate == "accepted"
    ]
    assert accepted
    for transaction in accepted:
        assert transaction.lines[-len(transaction.sent) :] == transaction.sent
        front = transaction.lines[: -len(transaction.sent)]
        assert not front or front[0].startswith(b"DKIM-Signature: ")
