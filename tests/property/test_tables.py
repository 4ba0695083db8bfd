"""Tables: no answer is ever illegal, late, lost or another one's, whatever happens."""

import argparse
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from opensmtpd.errors import HandlerTimeout, LocalError
from opensmtpd.meaning import Patterns
from opensmtpd.queries import VALUE_MAX, Service
from opensmtpd.table import Table
from opensmtpd.table_protocol import TableProtocol
from opensmtpd.testing import TableAnswer, TableSmtpd, ask
from opensmtpd.work import Offload
from opensmtpd_tables.sqlite import Sqlite
from property.hostile import Pause, explode, never

SERVICES = [service.value for service in Service]
VERBS = ["lookup", "check", "fetch", "update"]


def silent(event: str, session: str | None = None, **fields: object) -> None:
    assert event
    for value in fields.values():
        str(value)


# --- keys, values and misbehaviour ----------------------------------------------------------------

CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\n\r\0")
ODD = ["|", "||", "a|b", "@", "*", "+", "'", '"', ";", "?", "\udcff", "\udc80\xe9", " ", "\t", ":"]
KEY = st.one_of(
    st.text(CHARACTERS, max_size=40),
    st.lists(st.sampled_from([*ODD, "a", "example.org", "10.0.0.1", "[::1]"]), max_size=8).map(
        "".join
    ),
    st.integers(1, 1023).map(lambda size: "x" * size),
).filter(lambda key: len(key.encode("utf-8", "surrogateescape")) <= 1023)

ERRORS: list[BaseException] = [ValueError("\xfc\n|"), KeyError(b"\xff"), OSError(5, "I/O")]
ERRORS += [SystemExit(3), KeyboardInterrupt(), LocalError("a\nb\0|\xe9"), HandlerTimeout("x")]
VALUE = st.one_of(
    st.text(max_size=30),
    st.text(st.characters(), max_size=10),
    st.sampled_from(["x" * 2047, "x" * 2048, "\xe9" * 1024, "", "\n", "found|", "\0", "\udcff"]),
    st.sampled_from([None, True, False, 0, 7, b"x", [], object(), Offload, 1.5]),
)
ACT: st.SearchStrategy[Callable[[], Any]] = st.one_of(
    VALUE.map(lambda value: lambda: value),
    st.sampled_from(ERRORS).map(lambda error: lambda: explode(error)),
)
WAY = st.sampled_from(["plain", "plain", "offload", "async", "never"])


class Hostile(Table):
    """Does the next thing of a list, over and over."""

    services = tuple(Service)

    def __init__(self, acts: list[tuple[str, Callable[[], Any]]], index: bool) -> None:
        self.acts = acts
        self.index = index
        self.count = 0

    def do(self) -> Any:
        way, act = self.acts[self.count % len(self.acts)]
        self.count += 1
        if way == "offload":
            return Offload(act)
        if way == "async":
            return self.later(act)
        if way == "never":
            return never()
        return act()

    async def later(self, act: Callable[[], Any]) -> Any:
        await Pause()
        return act()

    def update(self) -> Any:
        return self.do()

    def lookup(self, service: Service, key: str) -> Any:
        return self.do()

    def fetch(self, service: Service) -> Any:
        return self.do()

    def patterns(self, service: Service) -> Patterns | None:
        return Patterns(service, ["*.org", "10/8", "@*", "."]) if self.index else None


class Wire:
    """A table and the modelled smtpd; work is done by the dice, or not at all."""

    def __init__(self, table: Table, dice: Random, version: str = "7.9.0", name: str = "t") -> None:
        self.smtpd = TableSmtpd(version, name)
        self.protocol = TableProtocol(table, log=silent)
        self.dice = dice
        self.now = 0.0
        self.works: list[Any] = []
        self.carry()

    def tell(self, data: bytes) -> None:
        """Hand bytes to the table, in odd pieces, and its own to the judge."""
        while data:
            size = self.dice.choice([1, 7, 100, 10_000])
            self.protocol.receive(data[:size], self.now)
            data = data[size:]
            self.hear()

    def carry(self) -> None:
        self.tell(self.smtpd.data_to_send())

    def hear(self) -> None:
        """Hand the table's answers to the judge, and begin its works."""
        self.smtpd.receive(self.protocol.data_to_send())
        for work in self.protocol.take_work():
            self.works.append(work)
            if not callable(work.job):
                self.step(work)

    def step(self, work: Any) -> None:
        """Let a work go one step further."""
        try:
            if not callable(work.job):
                work.job.send(None)
                return
            result = work.job()
        except StopIteration as end:
            result = end.value
        except BaseException as error:
            self.works.remove(work)
            self.protocol.fail(work, error)
            return
        self.works.remove(work)
        self.protocol.resolve(work, result)

    def finish(self, late: bool = False) -> None:
        """Work until all is answered; what does not end, or takes long if some may be late, is."""
        self.carry()
        for _ in range(200):
            for work in self.works[:]:
                self.step(work)
                self.hear()
            if self.works and late and not self.dice.randrange(3):
                self.now += 6.0
                self.works.clear()
                self.protocol.expire(self.now)
                self.hear()
        assert not self.smtpd.waiting
        assert not self.protocol.busy


REQUEST = st.tuples(st.sampled_from(VERBS), st.sampled_from(SERVICES), KEY)


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
    protocol = TableProtocol(table, log=silent)
    out = b""
    for piece in pieces:
        protocol.receive(piece, 0.0)
        while works := protocol.take_work():
            for work in works:
                try:
                    result = work.job() if callable(work.job) else complete(work.job)
                except Exception as error:
                    protocol.fail(work, error)
                else:
                    protocol.resolve(work, result)
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


# --- SQLite ---------------------------------------------------------------------------------------

FRAGMENTS = [
    "'",
    '"',
    "--",
    ";",
    "?",
    "?1",
    ":key",
    "/*",
    "*/",
    "`",
    "[",
    "]",
    "%",
    "_",
    "\\",
    "||",
]
FRAGMENTS += ["DROP TABLE rows", " OR 1=1", "UNION SELECT value FROM secrets", ")", "(", "NULL"]
FRAGMENTS += ["x", " ", "\t", "|", "\udcff", "\xe9", "1", "0x41", "alice", "*.example.org", "@"]
SQL = st.lists(st.sampled_from(FRAGMENTS), max_size=10).map("".join)
ROWS = {"alice": "bob", "*.example.org": "wild", "10.0.0.0/8": "net", "@example.net": "mail"}


class Store:
    """A database and its table, for as long as the tests run."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self.path = Path(self._folder.name) / "test.db"
        with closing(sqlite3.connect(self.path)) as connection, connection:
            connection.execute("CREATE TABLE rows (key, value)")
            connection.execute("CREATE TABLE secrets (key, value)")
            connection.execute("INSERT INTO secrets VALUES ('alice', 'secret')")
            connection.executemany("INSERT INTO rows VALUES (?, ?)", ROWS.items())
        self.bytes = self.path.read_bytes()
        conf = self.path.with_suffix(".conf")
        lines = [f"dbpath {self.path}"]
        plain = "SELECT value FROM rows WHERE key = ?"
        lines += [f"query_{service} {plain}" for service in SERVICES if service not in UNLIKE]
        lines += ["query_credentials SELECT key, value FROM rows WHERE key = ?1 AND ?1 <> ''"]
        lines += ["query_userinfo SELECT 1, 1, value FROM rows WHERE ? = key"]
        lines += ["patterns_domain SELECT key FROM rows", ""]
        conf.write_text("\n".join(lines))
        self.table = Sqlite(argparse.Namespace(path=str(conf), check=True))


UNLIKE = ("credentials", "userinfo", "auth")
STORE = Store()


@settings(max_examples=200)
@given(st.sampled_from([each for each in SERVICES if each != "auth"]), st.one_of(SQL, KEY))
def test_no_key_is_ever_sql(service: str, key: str) -> None:
    found = ask(STORE.table, "lookup", service, key)
    checked = ask(STORE.table, "check", service, key)
    assert found.result == checked.result
    assert found.result in ("found", "not-found")
    assert "secret" not in found.value
    if found.result == "not-found":
        assert key.lower() not in ROWS
    elif service in ("domain", "netaddr", "mailaddr"):
        assert found.value in ROWS.values()
    else:
        value = ROWS["".join(map(str.lower, key))]
        assert found.value in (value, f"{key.lower()}:{value}", f"1:1:{value}")
    assert ask(STORE.table, "lookup", "alias", "alice") == TableAnswer("found", "bob")
    assert STORE.path.read_bytes() == STORE.bytes


@settings(max_examples=50)
@given(st.lists(st.tuples(st.sampled_from(["lookup", "check"]), SQL), min_size=2, max_size=10))
def test_what_is_asked_at_once_is_answered_as_if_asked_alone(asked: list[tuple[str, str]]) -> None:
    wire = Wire(STORE.table, Random(1))
    for verb, key in asked:
        wire.smtpd.ask(verb, "domain", key)
    wire.protocol.receive(wire.smtpd.data_to_send(), 0.0)
    wire.smtpd.receive(wire.protocol.data_to_send())
    assert wire.smtpd.answers == [ask(STORE.table, verb, "domain", key) for verb, key in asked]
    with closing(sqlite3.connect(STORE.path, timeout=0)) as connection:
        connection.execute("BEGIN EXCLUSIVE")  # nothing holds a lock
        connection.rollback()
    assert STORE.path.read_bytes() == STORE.bytes
