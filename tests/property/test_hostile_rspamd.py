"""Hostile clients and a hostile rspamd: all is answered once, and nothing of theirs gets out."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from functools import cache
from random import Random
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opensmtpd import log
from opensmtpd._protocol.filter.connection import FilterConnection
from opensmtpd._protocol.filter.spool import Budget
from opensmtpd.errors import Refused, ServerLost, ServerRefused
from opensmtpd.filter import EditedMessage
from opensmtpd.mail.rspamd import edits, scan
from opensmtpd.mail.rspamd.reply import verdict
from opensmtpd.mail.rspamd.request import USES, fields
from opensmtpd.mail.rspamd.upload import body_of, is_whole
from opensmtpd.mail.rspamd.verdict import RspamdVerdict
from opensmtpd.testing import Smtpd, run_message
from opensmtpd.testing.sources import take_next
from opensmtpd.worker.frames import FRAME_MAX, pack, whole
from opensmtpd_filters.rspamd import Rspamd
from property.storm import LINES, Storm
from unit.support.edits import Does
from unit.support.fake_rspamd import HAM, FakeRspamd, Scanned, http
from unit.support.lone_message import message, sent
from unit.support.rspamd_mail import make
from unit.support.talk import M, S, Talk, data, report

# --- answers --------------------------------------------------------------------------------------

ACTIONS = ("no action", "greylist", "add header", "rewrite subject", "soft reject", "reject",
           "quarantine", "discard", "", "x\r\n\0y")  # fmt: skip
NAMES = st.text(max_size=5) | st.sampled_from(
    [
        *("X-A", "subject", "From", "Received", "X-Spam", "ARC-Seal", "Authentication-Results"),
        *("", "A B", "a:", ".X", "\xe4", "X\r\nY", "X\0", "\ud800", "y" * 500),
    ]
)
TEXTS = st.text(max_size=20) | st.sampled_from(
    [
        *("", " ", "1", "a\r\n\tb", "a\nb", "\n", "\r", "\0", "a\n\n\nX-Spam: no\n\nbody"),
        *(".\n.", "\t\n ", "\xe4\udcff\ud800", "x" * 70_000),
    ]
)
NUMBERS = st.sampled_from([0, 1, 2, 5, 1000, -1, -2, -99, 2.5, 1e300, 10**400, True, 1 << 31])
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
"""Those that JSON has (RFC 8259 section 6)."""
SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS | st.integers() | FLOATS
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=5,
)
VALUES = st.fixed_dictionaries(
    {}, optional={"value": TEXTS | JSON, "order": NUMBERS, "index": JSON}
)
ADDED = st.dictionaries(NAMES, TEXTS | VALUES | st.lists(TEXTS | VALUES, max_size=3), max_size=5)
REMOVED = st.dictionaries(NAMES, NUMBERS | st.lists(NUMBERS, max_size=3), max_size=5)
MILTER = st.fixed_dictionaries(
    {},
    optional={
        "add_headers": ADDED | JSON,
        "remove_headers": REMOVED | JSON,
        "spam_header": TEXTS | st.dictionaries(NAMES, TEXTS, max_size=3) | JSON,
        "reject": st.sampled_from(["quarantine", "discard"]) | JSON,
        "no_action": JSON,
        "change_from": JSON,
    },
)
SYMBOLS = st.dictionaries(
    NAMES, st.fixed_dictionaries({"score": NUMBERS | JSON}) | JSON, max_size=30
)
ANSWERS = st.fixed_dictionaries(
    {"action": st.sampled_from(ACTIONS) | JSON},
    optional={
        "score": NUMBERS | JSON,
        "required_score": NUMBERS | JSON,
        "subject": TEXTS | JSON,
        "messages": st.fixed_dictionaries({"smtp_message": TEXTS | JSON}) | JSON,
        "dkim-signature": TEXTS | st.lists(TEXTS, max_size=3) | JSON,
        "symbols": SYMBOLS | JSON,
        "milter": MILTER | JSON,
    },
)
HEADER = st.lists(
    st.sampled_from(
        [
            *(b"Received: x", b"\tfolded", b"Subject: y", b"SUBJECT:z", b"X-A: 1", b"x-spam: no"),
            *(b"..X: 1", b"X-Rspamd-Score: -9", b"no field", b" ", b": \r", b"From: a@b.example"),
        ]
    ),
    max_size=8,
)
BODY = [b"", b"Subject: body", b"..", b"...", b"x\ry", b""]
"""Like HEADER, as smtpd sends it: a dot at the beginning of a line is doubled."""


def read(answer: Any) -> RspamdVerdict | None:
    """Return the verdict as the front gets it, None for an answer that has none."""
    try:
        found = verdict(json.dumps(answer).encode())
    except ServerRefused:
        return None
    frame = pack(list(found))
    assert len(frame) <= FRAME_MAX + 5
    assert whole(frame) == list(found)
    return RspamdVerdict(*whole(frame))


@given(answer=JSON | ANSWERS)
def test_any_json_has_a_verdict_or_none(answer: Any) -> None:
    found = read(answer)
    named = isinstance(answer, dict) and isinstance(answer.get("action"), str)
    assert (found is not None) == named


@given(body=st.binary() | st.binary().map(lambda some: b'{"action": "%s"}' % some))
def test_any_bytes_in_the_place_of_json(body: bytes) -> None:
    try:
        found = verdict(body).action
    except ServerRefused as error:
        found = str(error)
    assert isinstance(found, str)


LINES_OF_HTTP = st.sampled_from(
    [
        *(b"HTTP/1.1 200 OK\r\n", b"HTTP/1.0 500 \xff\r\n", b"HTTP/1.1 100 Continue\r\n"),
        *(b"Content-Length: 3\r\n", b"content-length: %d\r\n" % 10**20, b"Content-Length: -1\r\n"),
        *(b"Transfer-Encoding: chunked\r\n", b"3\r\nabc\r\n", b"0\r\n", b"-1\r\n"),
        *(b"F" * 20 + b"\r\n", b": \r\n", b" x\r\n", b"\r\n", b"\n", b"abc", b"\0"),
    ]
)


@settings(max_examples=300)
@given(
    received=st.binary()
    | st.lists(LINES_OF_HTTP | st.binary(max_size=5), max_size=12).map(b"".join)
)
def test_any_bytes_in_the_place_of_an_answer(received: bytes) -> None:
    is_whole(received)
    try:
        found = body_of(received)
    except (ServerLost, ServerRefused) as error:
        words = str(error)
        found = b""
    else:
        words = "a body"
    assert isinstance(found, bytes)
    assert words.isprintable()


@given(body=st.binary(max_size=300), cut=st.integers(0, 400))
def test_an_answer_is_whole_at_its_end_and_not_before(body: bytes, cut: int) -> None:
    answer = http(body)
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunked += b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
    for each in (answer, chunked):
        assert is_whole(each)
        assert body_of(each) == body
        if cut < len(each):
            assert not is_whole(each[:cut])


# --- edits ----------------------------------------------------------------------------------------


@settings(max_examples=300)
@given(answer=ANSWERS, header=HEADER)
def test_edits_of_any_verdict(answer: Any, header: list[bytes]) -> None:
    """What is written are fields; the body and the other lines stay as they are."""
    said = read(answer)
    if said is None:
        return
    refused = []

    def edit(mail: EditedMessage) -> None:
        try:
            edits.write(mail, said)
        except Refused as refusal:
            refused.append(refusal.decision)

    m = message(Does(edit))
    m.receive([*header, *BODY])
    m.close_input(m.end())
    lines = sent(m)
    assert lines[-len(BODY) - 1 :] == [*BODY, b"."]
    lines = lines[: -len(BODY) - 1]
    new = [line for line in lines if line not in header]
    if refused:
        assert new == []
        assert said.action in ("reject", "soft reject", "discard")
    assert not any(set(line) & set(b"\r\n\0") for line in new)
    assert all(len(line) <= 65_485 for line in new)
    assert b"" not in lines
    for line in new:
        name, colon, _ = line.partition(b":")
        is_name = colon and name and all(0x21 <= byte <= 0x7E for byte in name)
        assert line[:1] in (b" ", b"\t") or is_name


# --- requests -------------------------------------------------------------------------------------


class Known:
    """A session of which a test says all."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.__dict__ = values


@given(
    values=st.fixed_dictionaries(
        {name: st.binary(max_size=50) for name in USES}
        | {
            "recipients": st.lists(st.binary(max_size=20), max_size=4),
            "username": st.none() | st.binary(),
            "tls": st.none() | st.binary(),
            "sender": st.none() | st.binary(),
            "msgid": st.none() | st.text("0123456789abcdef", min_size=8, max_size=8),
        }
    )
)
def test_any_values_in_the_fields_of_a_request(values: dict[str, Any]) -> None:
    session: Any = Known(values)
    found = fields(session, "id")
    names = [name for name, _ in found]
    assert names[:2] == [b"Pass", b"Milter"]
    assert names.count(b"Rcpt") == len(values["recipients"])
    for name in set(names) - {b"Rcpt"}:
        assert names.count(name) == 1
    head = b"".join(b"%s: %s\r\n" % (name, value) for name, value in found)
    assert head.count(b"\n") == head.count(b"\r") == len(found)
    assert b"\0" not in head


# --- with a server and a worker -------------------------------------------------------------------


@cache
def server() -> FakeRspamd:
    """Return a server, one for all: each test says what it answers."""
    return FakeRspamd()


@cache
def made() -> Rspamd:
    """Return the filter, one for all: its worker takes its time to start."""
    return make(server().url, line="--timeout 50")


@pytest.fixture(scope="module", autouse=True)
def closed() -> Iterator[None]:
    yield
    made().stop()
    server().close()
    made.cache_clear()
    server.cache_clear()


RAW = st.binary(max_size=300) | st.sampled_from(
    [b"", http(b"x", b"400 Bad"), http(b"x", b"413 Large"), http(b"x" * 5000, b"500 \xff\r\nX: y"),
     http(b"[" * 50_000), http(b'{"action": "reject", "score": NaN}'), http(b"{}" * 50)[:-1],
     http(b'{"action": "reject", "score": 1' + b"0" * 400 + b"}")]
)  # fmt: skip


@settings(max_examples=100)
@given(answer=ANSWERS | JSON.map(lambda it: http(json.dumps(it).encode())) | RAW, header=HEADER)
def test_a_message_is_accepted_or_refused(answer: Any, header: list[bytes]) -> None:
    """smtpd never stops of it; its model raises Fatal, or Hung where nothing is answered."""
    server().answer = answer
    content = b"".join(line + b"\n" for line in [*header, b"", b"text", b".", b"..dot"])
    outcome = run_message(made(), content)
    if outcome.accepted:
        assert outcome.message.endswith(b"\n\ntext\n.\n..dot\n")
        assert outcome.message.count(b"\r") <= content.count(b"\r")
        assert b"\0" not in outcome.message
    else:
        assert outcome.reply[:4] in (b"451 ", b"550 ")
    assert all(line.isprintable() for line in outcome.log)
    assert made().scanner.on_their_way == 0


LINE = st.sampled_from([b"", b".", b"..", b".x", b"A: 1", b"x" * 999, b"\xff\0\r"]) | st.binary(
    max_size=30
).map(lambda some: some.replace(b"\n", b""))


@settings(max_examples=60)
@given(
    lines=st.lists(LINE, max_size=60),
    size=st.integers(1, 5000),
    part=st.integers(1, 5000),
    memory=st.sampled_from([0, 500, 1 << 20]),
    seed=st.integers(0, 2**32),
)
def test_any_cut_and_any_sizes_give_the_same_bytes(
    lines: list[bytes], size: int, part: int, memory: int, seed: int
) -> None:
    """``size`` is that of the pieces in which smtpd's lines come, ``part`` that of an upload's."""
    server().answer = HAM
    server().scanned.clear()
    dice = Random(seed)
    stuffed = [b"." + line if line.startswith(b".") else line for line in lines]
    stream = report(b"link-connect", b"x", b"pass", b"192.0.2.5:1", b"192.0.2.1:25")
    stream += report(b"tx-begin", b"0123abcd") + data(*stuffed, b".")
    with patch.object(scan, "PART", part), patch.object(log, "emit", lambda _: None):
        talk = Talk(made(), budget=Budget(each=memory))
        out = b""
        for at in range(0, len(stream), size):
            out += talk.say(stream[at : at + size])
            if made().scanner.on_their_way and dice.random() < 0.5:
                take_next()
        out += talk.rest()
    [scanned] = server().scanned
    assert scanned.body == b"".join(line + b"\n" for line in lines)
    prefix = b"filter-dataline|%s|%s|" % (S, M)
    came_back = [line.removeprefix(prefix) for line in out.split(b"\n")[:-1]]
    forged = [line for line in came_back if line not in [*stuffed, b"."]]
    assert forged == []
    assert came_back[-1:] == [b"."]
    talk.say(report(b"tx-reset", b"0123abcd"), report(b"link-disconnect"))
    assert talk.left() == (0, 0, 0, 0)


HEADERS = (b"X-Spam: no", b"X-Rspamd-Score: -1", b" folded", b"Received: from x", b"x" * 2000)


class Crowd(Storm):
    """Clients whose messages are scanned; a few of them send more than a part."""

    lines = (*LINES, *HEADERS)

    def work(self) -> None:
        """Let a job go on, and take what a worker says."""
        super().work()
        if not self.jobs and self.protocol.dispatcher.waiting():
            take_next()


class Liar:
    """An rspamd that says anything."""

    def __init__(self, dice: Random) -> None:
        self.dice = dice

    def __call__(self, request: Scanned) -> Any:
        milter = {"add_headers": {"X-A": "1\r\n\0b", "A B": "x"}, "remove_headers": {"subject": 0}}
        spam = {**HAM, "action": "add header", "symbols": {"A\nB": {"score": 1}}, "milter": milter}
        raw = [b"", b"\xff", http(b"{}"), http(b"", b"500 x"), http(b'{"action": "reject"}')[:-1]]
        refusals = [{**HAM, "action": action} for action in ("reject", "soft reject")]
        return self.dice.choice([HAM, spam, *refusals, *raw])


@settings(max_examples=15)
@given(
    seed=st.integers(0, 2**64),
    part=st.sampled_from([10, 500, 128 << 10]),
    memory=st.sampled_from([0, 5000, 1 << 24]),
)
def test_a_crowd(seed: int, part: int, memory: int) -> None:
    server().answer = Liar(Random(seed))
    failures: list[object] = []

    def note(event: str, session: str | None = None, **fields: object) -> None:
        failures.append((event, fields))

    budget = Budget(memory, memory)
    protocol = FilterConnection(made(), log=note, budget=budget)
    smtpd = Smtpd()
    clients = Crowd(Random(seed), smtpd, protocol)
    with ExitStack() as patches:
        patches.enter_context(patch.object(scan, "PART", part))
        patches.enter_context(patch.object(log, "emit", lambda _: None))
        clients.run(30)
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
    # Where all clients wait, the clock goes on: a verdict may be late for it.
    assert [failure for failure in failures if "no answer within" not in str(failure)] == []
