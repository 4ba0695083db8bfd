"""What is sent to a program, and what is left out."""

from collections.abc import Iterable

from opensmtpd.capture.format import (
    CapturedLines,
    CaptureEnd,
    CaptureEntry,
    CaptureKind,
    CaptureLoss,
)
from opensmtpd.capture.play import Play, request_key, skipped
from unit.support.captures import P, said, talk

FILTER, TABLE = CaptureKind.FILTER, CaptureKind.TABLE
HEAD = "0.7|1795335705.127288|smtp-in"
SHAKEN = (
    "< config|ready", "> register|report|smtp-in|link-connect",
    "> register|filter|smtp-in|data-line", "> register|filter|smtp-in|auth",
    "> register|filter|smtp-in|commit", "> register|ready",
)  # fmt: skip


def played(kind: CaptureKind, entries: list[CaptureEntry], first: int = 1) -> tuple[Play, bytes]:
    """Play to a program that says what was recorded; return what it was sent."""
    skip = skipped(kind, entries)
    play = Play(kind, entries, skip, first)
    return play, b"".join(_steps(play, entries))


def _steps(play: Play, entries: Iterable[CaptureEntry]) -> Iterable[bytes]:
    sent = b""
    answers = [
        (entry.time, line)
        for entry in entries
        if isinstance(entry, CapturedLines) and entry.speaker is P
        for line in entry.data.splitlines()
    ]
    for step in play.steps():
        while answers and answers[0][0] < step.time:
            _answer(play, answers.pop(0)[1], sent)
        sent += step.data
        yield step.data
    for _, line in answers:
        _answer(play, line, sent)


def _answer(play: Play, line: bytes, sent: bytes) -> None:
    """Give an answer, if it is to something that was sent."""
    key = b"|" + b"|".join(line.split(b"|")[1:3]) + b"|"
    if line.startswith(b"register|") or key in sent or b"|lookup|" in sent:
        play.comparison.given(line)


def line(event: str, session: str, token: str, text: str = "") -> str:
    return f"< filter|{HEAD}|{event}|{session}|{token}|{text}"


def test_everything_is_sent_as_it_was() -> None:
    texts = [line("data-line", "s", "1", "A: b"), line("data-line", "s", "1", "."),
             line("commit", "s", "2")]  # fmt: skip
    entries = said(FILTER, talk(
        *SHAKEN, *texts, "> filter-dataline|s|1|A: b", "> filter-dataline|s|1|.",
        "> filter-result|s|2|proceed"))  # fmt: skip
    play, sent = played(FILTER, [*entries])
    assert sent == "".join(f"{text[2:]}\n" for text in ["< config|ready", *texts]).encode()
    assert (play.sent, play.comparison.equal, play.lost) == (2, 3, 0)


def test_what_lost_its_secret_is_not_sent() -> None:
    entries = said(FILTER, talk(
        *SHAKEN, line("auth", "s", "1", "PLAIN x"), "> filter-result|s|1|proceed",
        f"< report|{HEAD}|link-auth|s|pass|alice",
        line("commit", "s", "2"), "> filter-result|s|2|proceed"))  # fmt: skip
    skip = skipped(FILTER, entries)
    assert (skip.requests, skip.reports) == (frozenset([b"s|1"]), 1)
    play, sent = played(FILTER, [*entries])
    assert sent == f"config|ready\nfilter|{HEAD}|commit|s|2|\n".encode()
    assert (play.comparison.equal, play.comparison.difference) == (1, None)


def test_a_message_without_its_body_is_not_sent() -> None:
    entries = said(FILTER, talk(
        *SHAKEN, *(line("data-line", "s", "1", text) for text in ("A: b", "", "text", ".")),
        "> filter-dataline|s|1|A: b", line("data-line", "s", "2", "."), "> filter-dataline|s|2|."),
        bodies=False)  # fmt: skip
    _, sent = played(FILTER, [*entries])
    assert sent == f"config|ready\nfilter|{HEAD}|data-line|s|2|.\n".encode()


def test_what_the_program_does_not_register_is_not_sent() -> None:
    texts = [
        f"< report|{HEAD}|link-connect|s|x",
        f"< report|{HEAD}|tx-begin|s|x",
        line("rset", "s", "1"),
    ]
    _, sent = played(FILTER, [*said(FILTER, talk(*SHAKEN, *texts))])
    assert sent == f"config|ready\nreport|{HEAD}|link-connect|s|x\n".encode()


def test_sessions_that_a_loss_cuts_are_left_out_up_to_their_next_beginning() -> None:
    before = said(FILTER, talk(
        *SHAKEN, line("data-line", "s", "1", "A: b"), "> filter-dataline|s|1|A: b",
        line("data-line", "s", "1", "C: d")))  # fmt: skip
    behind = said(FILTER, talk(
        *SHAKEN, line("data-line", "s", "1", "."), "> filter-dataline|s|1|.",
        line("commit", "s", "2"), "> filter-result|s|2|proceed",
        f"< report|{HEAD}|link-connect|t|x",
        line("commit", "t", "3"), "> filter-result|t|3|reject|550 x",
        line("data-line", "s", "4", "Received: x"),
        "> filter-dataline|s|4|Received: x"))  # fmt: skip
    later = [entry._replace(time=entry.time + 100) for entry in behind[len(SHAKEN) :]]
    play, sent = played(FILTER, [*before, CaptureLoss(5.0, 1000), *later])
    assert [text.split("|", 5)[-1] for text in sent.decode().splitlines()[3:]] == [
        "t|x", "t|3|", "s|4|Received: x",
    ]  # fmt: skip
    play.finish()
    assert (play.lost, play.comparison.equal, play.comparison.difference) == (1000, 3, None)


def test_a_capture_whose_first_file_is_gone() -> None:
    entries = said(FILTER, talk(
        *SHAKEN, line("data-line", "s", "1", "text"), "> filter-dataline|s|1|text",
        f"< report|{HEAD}|link-connect|t|x", line("commit", "t", "2"),
        "> filter-result|t|2|proceed"))  # fmt: skip
    play, sent = played(FILTER, [*entries], first=3)
    assert b"|s|" not in sent
    assert sent.endswith(b"|t|2|\n")
    assert (play.comparison.equal, play.comparison.difference) == (1, None)


def test_a_table() -> None:
    entries = said(TABLE, talk(
        "< config|ready", "> register|alias", "> register|ready",
        "< table|0.1|1.0|t|lookup|alias|0a|x", "> lookup-result|0a|found|y",
        "< table|0.1|1.0|t|check|auth|0b|x:y", "> check-result|0b|found",
        "< table|0.1|1.0|t|update|0c", "> update-result|0c|ok"))  # fmt: skip
    play, sent = played(TABLE, [*entries, CaptureEnd(9e9, 0)])
    assert sent == (b"config|ready\ntable|0.1|1.0|t|lookup|alias|0a|x\ntable|0.1|1.0|t|update|0c\n")
    assert (play.sent, play.comparison.equal) == (2, 2)


def test_keys_of_requests() -> None:
    assert request_key(FILTER, b"filter|0.7|1|smtp-in|ehlo|s|t|a|b") == b"s|t"
    assert request_key(FILTER, b"report|0.7|1|smtp-in|tx-mail|s|t|a|b") == b""
    assert request_key(TABLE, b"table|0.1|1|n|fetch|source|0a") == b"0a"
    assert request_key(TABLE, b"table|0.1|1|n|update|0a") == b"0a"
    assert request_key(TABLE, b"***") == b""
