"""Tables: no answer is ever illegal, late, lost or another one's, whatever happens."""

from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opensmtpd._protocol.table.connection import TableConnection
from opensmtpd.table import VALUE_MAX, Service, Table
from opensmtpd.table.passwords import checks
from opensmtpd.testing import TableSmtpd, ask
from property.hostile import Pause
from property.tables_wire import (
    ACT,
    REQUEST,
    SERVICES,
    WAY,
    Hostile,
    Passwords,
    Wire,
    silent,
)


@pytest.fixture(autouse=True, scope="module")
def no_worker() -> Iterator[None]:
    """Have no process started, and none waited for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checks, "checks", Passwords)
        yield


@settings(max_examples=200)
@given(
    st.lists(st.tuples(WAY, ACT), min_size=1, max_size=8),
    st.lists(REQUEST, min_size=1, max_size=10),
    st.booleans(),
    st.sampled_from(["t", "a|b", "<dynamic:1>", "\xe9"]),
    st.randoms(use_true_random=False),
)
def test_no_answer_is_ever_illegal_or_missing(
    acts: list[tuple[str, Callable[[], Any]]],
    requests: list[tuple[str, str, str]],
    index: bool,
    name: str,
    dice: Random,
) -> None:
    wire = Wire(Hostile(acts, index), dice, name=name)
    for verb, service, key in requests:
        wire.smtpd.ask(verb, service, key)
        if dice.randrange(2):  # or else with the next one
            wire.carry()
        if dice.randrange(2):
            wire.finish(late=True)
    wire.finish(late=True)
    answers = wire.smtpd.answers
    assert len(answers) == len(requests)
    for result, value in answers:
        assert len(value.encode("utf-8", "surrogateescape")) <= VALUE_MAX
        assert result != "error" or value.isprintable()
        assert not set(value) & set("\n\r\0")


LINES = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30),
    st.lists(
        st.sampled_from(
            [
                *("\n", "\n\n", "a", "|", "\r", "config|tablename|x", "table|0.1|1.0|t|update|1"),
                *("table|0.1|1.0|t|lookup|credentials|1|x", "table|0.1|1.0|t|fetch|source|7"),
            ]
        ),
        max_size=6,
    ).map("".join),
)


@settings(max_examples=200)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["lookup", "check"]),
            st.sampled_from(["credentials", "mailaddrmap", "mailaddr", "string", "auth"]),
            LINES,
        ),
        min_size=1,
        max_size=5,
    ),
    st.lists(st.tuples(WAY, ACT), min_size=1, max_size=4),
)
def test_line_feeds_in_what_a_client_typed_are_no_requests(
    requests: list[tuple[str, str, str]], acts: list[tuple[str, Callable[[], Any]]]
) -> None:
    """smtpd before 7.9 sends them as they are; it asks one thing at a time, in one write."""
    table = Hostile(acts, False)
    table.force_auth = True
    wire = Wire(table, Random(1), "7.6.0-portable")
    for verb, service, key in requests:
        wire.smtpd.ask(verb, service, key)
        wire.protocol.receive(wire.smtpd.data_to_send(), wire.now)
        wire.hear()
        wire.finish(late=True)
    assert len(wire.smtpd.answers) == len(requests)


# --- chunks and garbage ---------------------------------------------------------------------------


class Tame(Table):
    """Answers by what it was asked, and nothing else."""

    services = tuple(Service)

    def lookup(self, service: Service, key: str) -> Any:
        if len(key) % 5 == 4:
            raise ValueError(key)
        return f"{service}:{key}" if len(key) % 3 else None

    def fetch(self, service: Service) -> str:
        return f"{service}"


class SlowTame(Tame):
    async def lookup(self, service: Service, key: str) -> Any:
        await Pause()
        return super().lookup(service, key)


def conversation(requests: list[tuple[str, str, str]]) -> bytes:
    """Return all that smtpd says."""
    smtpd = TableSmtpd()
    said = smtpd.data_to_send()
    smtpd.receive(b"".join(b"register|%s\n" % name.encode() for name in [*SERVICES, "ready"]))
    for request in requests:
        smtpd.ask(*request)
    return said + smtpd.data_to_send()


def answered(table: Table, pieces: list[bytes]) -> bytes:
    """Return all that is answered."""
    protocol = TableConnection(table, log=silent)
    out = b""
    for piece in pieces:
        protocol.receive(piece, 0.0)
        while jobs := protocol.dispatcher.take_jobs():
            for job in jobs:
                try:
                    result = job.task() if callable(job.task) else complete(job.task)
                except Exception as error:
                    protocol.dispatcher.fail(job, error)
                else:
                    protocol.dispatcher.resolve(job, result)
        out += protocol.data_to_send()
    return out


def complete(coroutine: Any) -> Any:
    try:
        while True:
            coroutine.send(None)
    except StopIteration as end:
        return end.value


PLAIN = REQUEST.filter(lambda request: request[1] != "auth")


@settings(max_examples=100)
@given(st.lists(PLAIN, max_size=8), st.sampled_from([Tame, SlowTame]), st.data())
def test_chunks_change_nothing(
    requests: list[tuple[str, str, str]], kind: type[Table], data: st.DataObject
) -> None:
    stream = conversation(requests)
    expected = answered(kind(), stream.splitlines(keepends=True))
    assert expected.count(b"\n") == len(requests) + 14
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=30).map(sorted), "cuts")
    pieces = [
        stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)
    ]
    assert answered(kind(), pieces) == expected
    assert answered(kind(), [stream]) == expected
    assert answered(Tame(), [bytes([byte]) for byte in stream]) == expected


FIELD = st.one_of(
    st.binary(max_size=12),
    st.sampled_from([b"", b"0.1", b"t", b"lookup", b"check", b"fetch", b"update", b"alias", b"1"]),
)
GARBAGE = st.one_of(
    st.binary(max_size=100),
    st.lists(FIELD, max_size=9).map(b"|".join),
    st.lists(FIELD, max_size=6).map(lambda fields: b"config|" + b"|".join(fields)),
    # Not of this table, or of another version: such lines look like requests.
    st.lists(FIELD, max_size=6).map(lambda fields: b"table|0.2|1.0|t|" + b"|".join(fields)),
    st.lists(FIELD, max_size=6).map(lambda fields: b"table|0.1|1.0|other|" + b"|".join(fields)),
    st.sampled_from(
        [
            b"config|ready",
            b"config|tablename|other",
            b"config|protocol|9.9",
            b"table|0.1|1.0|t|",
            b"table|0.1|1.0|t|lookup|alias|1",
            b"table|0.1|1.0|t|update",
            b"x" * 70_000,
        ]
    ),
).map(lambda line: line.replace(b"\n", b""))


@settings(max_examples=200)
@given(
    st.lists(PLAIN, min_size=1, max_size=6),
    st.lists(GARBAGE, min_size=6, max_size=6),
    st.sampled_from([Tame, SlowTame]),
    st.randoms(use_true_random=False),
)
def test_garbage_between_requests_changes_nothing(
    requests: list[tuple[str, str, str]], garbage: list[bytes], kind: type[Table], dice: Random
) -> None:
    wire = Wire(kind(), dice)
    for line, (verb, service, key) in zip(garbage, requests, strict=False):
        wire.smtpd.ask(verb, service, key)
        wire.tell(line + b"\n")
        wire.carry()
        wire.tell(line + b"\n")
    wire.finish()
    alone = [ask(kind(), verb, service, key) for verb, service, key in requests]
    assert wire.smtpd.answers == alone
