"""A message that is scanned: its line in the log, what is counted, and its fate without a scan."""

from typing import Any

import pytest

from opensmtpd.mail.rspamd import message as module
from opensmtpd.testing import run_message
from unit.support.fake_rspamd import HAM, FakeRspamd, http
from unit.support.rspamd_mail import (
    MESSAGE,
    NEW_SESSION,
    TEMPFAIL,
    below,
    decided,
    front,
    make,
    send,
)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """The metrics that were counted, with their results."""
    found: list[tuple[str, str]] = []
    monkeypatch.setattr(module, "count", lambda name, result: found.append((name, result)))
    return found


@pytest.mark.parametrize(
    ("action", "counted_as"),
    [
        ("no action", "no action"),
        ("greylist", "greylist"),
        ("add header", "add header"),
        ("rewrite subject", "rewrite subject"),
        ("soft reject", "soft reject"),
        ("reject", "reject"),
        ("quarantine", "other"),
        ("discard", "other"),
        ("", "other"),
        ("x\ny|z", "other"),
    ],
)
def test_one_line_a_message(action: str, counted_as: str, counted: list[tuple[str, str]]) -> None:
    with FakeRspamd({"action": action, "score": 1.006, "required_score": 15}) as server:
        outcome = run_message(make(server.url), MESSAGE)
    [line] = outcome.log
    shown = action.replace("\n", "\\n")
    shown = f'"{shown}"' if not action or " " in action else shown
    assert line == (
        f"{NEW_SESSION}rspamd action={shown} score=1.01 required=15.00 url={server.url}"
    )
    assert counted == [("opensmtpd_plugin_scans", counted_as)]


@pytest.mark.parametrize(
    ("score", "shown"), [(-0.001, "-0.00"), (9e9, "9000000000.00"), (1e300, "0.00")]
)
def test_any_score_is_logged(score: float, shown: str) -> None:
    outcome = send({**HAM, "score": score})
    assert f" score={shown} required=15.00 " in outcome.log[0]


def test_what_no_filter_can_do_is_logged() -> None:
    milter = {"change_from": "a@b.example", "add_rcpt": ["c@d.example"], "del_rcpt": ["e"]}
    outcome = send({**HAM, "milter": milter})
    assert outcome.accepted
    assert outcome.log[1] == (
        f"{NEW_SESSION}rspamd-impossible wants=change_from,add_rcpt,del_rcpt"
        ' reason="smtpd lets no filter change the envelope of a message"'
    )


def test_fields_that_no_header_can_hold_are_logged() -> None:
    fields = {
        "X-Good": "1",
        "X Bad": "2",
        "X-Long": "x" * 70_000,
        "X-Huge": "x" * (256 << 10),
        "B\n: d": "3",
    }
    outcome = send({**HAM, "milter": {"add_headers": fields}})
    assert outcome.accepted
    assert front(outcome) == b"X-Good: 1\n"
    assert outcome.log[1:] == (
        f'{NEW_SESSION}rspamd-field-unusable field="B?: d"',
        f"{NEW_SESSION}rspamd-field-unusable field=X-Long",
        f'{NEW_SESSION}rspamd-field-unusable field="X Bad"',
        f"{NEW_SESSION}rspamd-field-unusable field=X-Huge",
    )


# --- no verdict -----------------------------------------------------------------------------------

BROKEN: list[tuple[Any, str]] = [
    (http(b"{}"), '"its answer names no action"'),
    (http(b'{"action": "reject", "score": NaN}'), '"its answer is no JSON"'),
    (http(b"[" * 100_000), '"its answer is no JSON"'),
    (http(b"", b"400 Bad Request"), '"it answers 400 Bad Request"'),
    (http(b"", b"413 Too Large"), '"it answers 413 Too Large"'),
    (http(b'{"action": "reject"}', b"500 Oops"), '"it answers 500 Oops"'),
    (b"", '"it has closed the connection without an answer"'),
    (http(b'{"action": "reject"}')[:-1], '"it has closed the connection amid its answer"'),
    (b"220 mx.example ESMTP\r\n", '"its answer is no HTTP"'),
]


@pytest.mark.parametrize(("answer", "reason"), BROKEN)
def test_a_message_is_refused_for_now(
    answer: Any, reason: str, counted: list[tuple[str, str]]
) -> None:
    outcome = send(answer)
    assert (outcome.accepted, outcome.reply) == (False, TEMPFAIL)
    assert outcome.log[-1].startswith(f"{NEW_SESSION}rspamd-failed reason={reason} url=http://127.")
    assert outcome.log[-1].endswith(" action=tempfail")
    assert counted == [("opensmtpd_plugin_scans", "failed")]


@pytest.mark.parametrize(("answer", "reason"), BROKEN)
def test_a_message_passes_where_that_is_wanted(
    answer: Any, reason: str, counted: list[tuple[str, str]]
) -> None:
    outcome = send(answer, b"X-Rspamd-Unscanned: no\nx-spam: no\n" + MESSAGE, "--fail open")
    assert (outcome.accepted, decided(outcome)) == (True, b"proceed")
    assert front(outcome) == b"X-Rspamd-Unscanned: rspamd does not answer\n"
    assert below(outcome) == MESSAGE
    assert outcome.log[-1].startswith(f"{NEW_SESSION}rspamd-failed reason={reason} url=http://127.")
    assert outcome.log[-1].endswith(" action=open")
    assert counted == [("opensmtpd_plugin_scans", "failed")]


# --- messages that are too large ------------------------------------------------------------------


@pytest.mark.parametrize("fail", ["open", "tempfail"])
@pytest.mark.parametrize("lines", [1, 3000])
def test_a_large_message_passes_unscanned(
    fail: str, lines: int, counted: list[tuple[str, str]]
) -> None:
    message = b"X-Spam: forged\nSubject: x\n\n" + b"x" * 99 + b"\n" + b"y" * 99 * lines
    message = message.replace(b"y" * 99, b"y" * 99 + b"\n")
    size = 240 if lines == 1 else 200_000
    with FakeRspamd() as server:
        filter = make(server.url, line=f"--max-size {size} --fail {fail}")
        outcome = run_message(filter, message)
        assert outcome.accepted
        assert front(outcome) == b"X-Rspamd-Unscanned: larger than %d bytes\n" % size
        assert below(outcome) == message.removeprefix(b"X-Spam: forged\n")
        assert outcome.log == (f'{NEW_SESSION}rspamd-unscanned reason="larger than {size} bytes"',)
        assert run_message(filter, b"Subject: y\n").log[0].startswith(f"{NEW_SESSION}rspamd action")
    assert len(server.scanned) == 1
    assert counted == [
        ("opensmtpd_plugin_scans", "unscanned"),
        ("opensmtpd_plugin_scans", "no action"),
    ]


@pytest.mark.parametrize("lines", [1, 100_000])
def test_the_size_is_that_of_the_message_as_rspamd_gets_it(lines: int) -> None:
    """smtpd's own field counts, and a dot at the beginning of a line once.

    A client could have a message pass unscanned otherwise that smtpd takes for half as large.
    """
    received = len(send(HAM, b"\n").received)
    message = b"A: 1\n\n" + b".\n" * lines
    exact = received + len(message)
    assert not front(send(HAM, message, f"--max-size {exact}"))
    unscanned = b"X-Rspamd-Unscanned: larger than %d bytes\n" % (exact - 1)
    assert front(send(HAM, message, f"--max-size {exact - 1}")) == unscanned
