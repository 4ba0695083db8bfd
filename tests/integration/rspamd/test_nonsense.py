"""A server that answers filter-rspamd as no rspamd should: smtpd lives, and each client is told."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from integration.support.rspamd_faults import (
    FROM,
    NAME,
    NONSENSE_PORT,
    UNSCANNED,
    prepare,
    send,
)
from integration.support.rspamd_mail import Lines, composed
from integration.support.rspamd_scenes import header
from lab.peers import mail
from lab.peers.rspamd.nonsense import (
    CLOSED,
    HEAD,
    SILENCE,
    Answer,
    Nonsense,
    endless,
    reply,
    slowly,
    wait_for,
    whole,
)
from lab.support import Lab, Setup

pytestmark = pytest.mark.parametrize(
    "running", [Setup("7.6", "rspamd-nonsense", prepare)], indirect=True, ids=str
)
HELLO = composed({}, [FROM, b"Subject: hello"], [b"hello"])
LARGE = composed({}, [FROM, b"Subject: hello"], [b"x" * 98] * 30_000)
VERDICT = b'{"action": "no action", "milter": {"add_headers": {"X-Scanned": "yes"}}}'
FAIR = whole(reply(VERDICT))


@pytest.fixture
def server(lab: Lab) -> Iterator[Nonsense]:
    """The server; at the end smtpd lives, with its filters, and mail is scanned again."""
    before = lab.server.filters(NAME)
    with Nonsense(NONSENSE_PORT) as server:
        yield server
        server.answer = FAIR
        assert is_scanned(lab)
    assert lab.server.filters(NAME) == before


def is_scanned(lab: Lab, message: bytes = HELLO) -> bool:
    """Send a message, and tell whether it comes with what the verdict writes into it."""
    answered = send("nonsense", message)
    assert answered[0] == 250, answered
    return b"X-Scanned: yes" in header(lab.inbox.one().message)


CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
GOOD: dict[str, Answer] = {
    "whole": FAIR,
    "HTTP/1.0, no length": whole(b"HTTP/1.0 200 OK\r\n\r\n" + VERDICT),
    "no length": whole(HEAD + b"\r\n" + VERDICT),
    "chunks": whole(
        CHUNKED
        + b"".join(b"1\r\n%c\r\n" % byte for byte in VERDICT[:20])
        + b"%X;a=b\r\n%s\r\n0\r\nX-Trailer: x\r\n\r\n" % (len(VERDICT) - 20, VERDICT[20:])
    ),
    "continue": whole(b"HTTP/1.1 100 Continue\r\n\r\n" + reply(VERDICT)),
    "byte by byte": slowly(reply(VERDICT), 0.001),
    "the connection stays open": whole(reply(VERDICT), hold=True),
    "chunks, the connection stays open": whole(
        CHUNKED + b"%X\r\n%s\r\n0\r\n\r\n" % (len(VERDICT), VERDICT), hold=True
    ),
    "many headers": whole(reply(VERDICT, HEAD + b"X-Y: z\r\n" * 90)),
    "names in small letters": whole(reply(VERDICT, HEAD.lower().replace(b"http/", b"HTTP/"))),
}
"""Unusual, and nothing is wrong with it."""


@pytest.mark.parametrize("answer", GOOD.values(), ids=GOOD)
def test_good(lab: Lab, server: Nonsense, answer: Answer) -> None:
    server.answer = answer
    for message in (HELLO, LARGE):
        assert is_scanned(lab, message)


def refused(status: bytes, *, early: bool = False) -> Answer:
    return whole(b"HTTP/1.1 %s\r\nContent-Length: 2\r\n\r\n{}" % status, early=early)


BAD: dict[str, Answer] = {
    "closed": CLOSED,
    "no HTTP": whole(b"\0\xff\x01garbage\r\n\r\n"),
    "no HTTP, a line without an end": whole(b"x" * 200_000),
    "half a head": whole(HEAD),
    "half a body": whole(HEAD + b"Content-Length: 1000\r\n\r\n" + VERDICT),
    "half a chunk": whole(CHUNKED + b"FFFF\r\n" + VERDICT),
    "a chunk of a wrong length": whole(CHUNKED + b"-5\r\n" + VERDICT),
    "a chunk beyond all numbers": whole(CHUNKED + b"F" * 40 + b"\r\n" + VERDICT),
    "a length beyond all numbers": whole(HEAD + b"Content-Length: %s\r\n\r\n" % (b"9" * 40)),
    "empty": whole(reply(b"")),
    "no JSON": whole(reply(VERDICT[:-1])),
    "no object": whole(reply(b"[1, 2]")),
    "no action": whole(reply(b'{"score": 1}')),
    "an action that is no text": whole(reply(b'{"action": ["reject"]}')),
    "deep": whole(reply(b'{"action": "reject", "symbols": ' + b"[" * 200_000)),
    "deep, and all is closed": whole(
        reply(b'{"action": "reject", "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}")
    ),
    "no number": whole(reply(b'{"action": "add header", "score": NaN}')),
    "8-bit": whole(reply(b'{"action": "\xff\xfe"')),
    "400": refused(b"400 Bad Request"),
    "500": refused(b"500 we have a problem\x01\xff"),
    "302": refused(b"302 Found\r\nLocation: http://127.0.0.1:1/"),
    "413, early": refused(b"413 Too large", early=True),
    "nothing, early": Answer(lambda: [], early=True),
    "endless head": endless(HEAD, b"X-Y: " + b"z" * 1000 + b"\r\n"),
    "endless body": endless(HEAD + b"\r\n" + VERDICT[:-1], b" " * 65536),
    "endless chunks": endless(CHUNKED, b"4000\r\n" + b" " * 0x4000 + b"\r\n"),
}
"""What is no verdict: the client has to come again."""


@pytest.mark.parametrize("answer", BAD.values(), ids=BAD)
def test_bad(lab: Lab, server: Nonsense, answer: Answer) -> None:
    server.answer = answer
    for message in (HELLO, LARGE):
        code, text = send("nonsense", message)
        assert (code, text[:6]) == (451, b"4.7.1 ")
    assert send("nonsense, open", HELLO)[0] == 250
    assert header(lab.inbox.one().message)[0].startswith(UNSCANNED)


LATE = [
    SILENCE,
    whole(HEAD, hold=True),
    whole(HEAD + b"Content-Length: 1000\r\n\r\n" + VERDICT, hold=True),
    whole(CHUNKED + b"FFFF\r\n" + VERDICT, hold=True),
    slowly(HEAD * 1000, 0.05),
    slowly(CHUNKED * 1000, 0.05),
    Answer(lambda: [], hold=True, early=True),
]
"""What would never end."""


def test_late(lab: Lab, server: Nonsense) -> None:
    """All are told to come again, each for itself, while others are scanned."""
    with ThreadPoolExecutor(2 * len(LATE)) as threads:
        waiting = []
        for answer in LATE:
            for message in (HELLO, LARGE):
                server.answer = answer
                waiting.append(threads.submit(send, "nonsense", message))
                wait_for(len(waiting), server)
        server.answer = FAIR
        assert is_scanned(lab)
        told: list[mail.Reply] = [each.result() for each in waiting]
    assert {(code, text[:6]) for code, text in told} == {(451, b"4.7.1 ")}


ODD: dict[str, tuple[dict[str, Any], Lines | mail.Reply]] = {
    "an action of the administrator's": ({"action": "frobnicate"}, []),
    "types": (
        {
            "action": "no action",
            "score": "much",
            "required_score": None,
            "symbols": [1],
            "messages": "no",
            "dkim-signature": [1, None, {}],
            "subject": 5,
            "milter": {"add_headers": [1], "remove_headers": "X"},
        },
        [],
    ),
    "no milter": ({"action": "no action", "milter": None}, []),
    "values": (
        {
            "action": "no action",
            "milter": {
                "add_headers": {"X-1": 1, "X-2": None, "X-3": {"value": [1]}, "X-4": [[["x"]]]},
                "remove_headers": {"From": "all", "Subject": None, "X": [[]]},
            },
        },
        [],
    ),
    "names": (
        {
            "action": "no action",
            "milter": {
                "add_headers": dict.fromkeys(
                    ["", " ", "a b", "a:b", "x\r\nX-Forged", "x\ny", "\0", "\u00fc", "x" * 70_000],
                    "v",
                )
            },
        },
        [],
    ),
    "an order beyond all numbers": (
        {
            "action": "no action",
            "milter": {"add_headers": {"X-Last": {"value": "x", "order": 10**40}}},
        },
        [b"X-Last: x"],
    ),
    "remove all": (
        {"action": "no action", "milter": {"remove_headers": {"Subject": 99, "Received": -99}}},
        [],
    ),
    "a reply of several lines": (
        {"action": "reject", "messages": {"smtp_message": "a\r\n250 ok\r\nb\0\u00fc|c"}},
        (550, b"a 250 ok b??|c"),
    ),
    "a long reply": (
        {"action": "soft reject", "messages": {"smtp_message": "4.7.1 " + "x" * 100_000}},
        (451, b"4.7.1 " + b"x" * 500),
    ),
    "an empty reply": (
        {"action": "reject", "messages": {"smtp_message": "\r\n"}},
        (550, b"message rejected"),
    ),
}
"""Verdicts with something odd in them: what is written at the end, or the reply."""


@pytest.mark.parametrize(("verdict", "wanted"), ODD.values(), ids=ODD)
def test_odd(
    lab: Lab, server: Nonsense, verdict: dict[str, Any], wanted: Lines | mail.Reply
) -> None:
    server.answer = whole(reply(json.dumps(verdict).encode()))
    code, text = send("nonsense", HELLO)
    if isinstance(wanted, tuple):
        assert (code, text) == wanted
        return
    assert code == 250
    message = lab.inbox.one().message
    assert header(message) == [b"Received:", FROM, b"Subject: hello", *wanted]
    assert message.endswith(b"\n\nhello\n")
