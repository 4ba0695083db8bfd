"""What is taken out of the talk with a filter: fed whole, piece by piece, and byte by byte."""

import pytest

from opensmtpd.capture.format import CaptureKind, Speaker
from opensmtpd.capture.redaction.filter_redaction import FilterRedaction
from unit.support.captures import P, S, lines, said, talk

FILTER = CaptureKind.FILTER
SESSION = "1718c5e591926d28"
TOKEN = "1f083015d732b8dd"
HEAD = "0.7|1795335705.127288|smtp-in"
REGISTERED = talk(
    "< config|smtpd-version|7.6.0", "< config|ready", "> register|report|smtp-in|link-auth",
    "> register|report|smtp-in|protocol-client", "> register|report|smtp-in|filter-response",
    "> register|filter|smtp-in|auth", "> register|filter|smtp-in|data-line", "> register|ready",
)  # fmt: skip


def kept(*texts: str, chunk: int | None = None, **options: bool) -> list[str]:
    """Return the lines of a capture behind the handshake."""
    entries = said(FILTER, [*REGISTERED, *talk(*texts)], chunk=chunk, **options)
    return [
        f"{'<' if speaker is S else '>'}{'!' if hidden else ' '}{line.decode()}"
        for speaker, line, hidden in lines(entries)
    ][len(REGISTERED) :]


chunks = pytest.mark.parametrize("chunk", [None, 1, 7, 64])


@chunks
@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        (f"filter|{HEAD}|auth|{SESSION}|{TOKEN}|PLAIN AGEAcGFzcw==",
         f"filter|{HEAD}|auth|{SESSION}|{TOKEN}|***"),
        (f"filter|{HEAD}|auth|{SESSION}|{TOKEN}|x|y", f"filter|{HEAD}|auth|{SESSION}|{TOKEN}|***"),
        (f"report|{HEAD}|link-auth|{SESSION}|pass|alice",
         f"report|{HEAD}|link-auth|{SESSION}|pass|***"),
        (f"report|{HEAD}|link-auth|{SESSION}|a|b|fail",
         f"report|{HEAD}|link-auth|{SESSION}|***|fail"),
        (f"report|{HEAD}|link-auth|{SESSION}|alice", f"report|{HEAD}|link-auth|{SESSION}|***"),
        (f"report|{HEAD}|protocol-client|{SESSION}|AUTH PLAIN AGEAcGFzcw==",
         f"report|{HEAD}|protocol-client|{SESSION}|AUTH PLAIN ***"),
        (f"report|{HEAD}|protocol-client|{SESSION}|auth login YWxpY2U=",
         f"report|{HEAD}|protocol-client|{SESSION}|AUTH login ***"),
        (f"report|{HEAD}|protocol-client|{SESSION}|AUTH AGEAcGFzcw==",
         f"report|{HEAD}|protocol-client|{SESSION}|AUTH ***"),
        (f"report|{HEAD}|protocol-client|{SESSION}|cGFzcw==",
         f"report|{HEAD}|protocol-client|{SESSION}|***"),
        (f"report|{HEAD}|protocol-client|{SESSION}| AUTH PLAIN cGFzcw==",
         f"report|{HEAD}|protocol-client|{SESSION}|***"),
        (f"report|{HEAD}|filter-response|{SESSION}|auth|reject|535 pass",
         f"report|{HEAD}|filter-response|{SESSION}|auth|reject|***"),
        ("garbage with a pass", "***"),
        ("filter|0.7|short", "***"),
    ],
)  # fmt: skip
def test_what_loses_its_secret(line: str, wanted: str, chunk: int | None) -> None:
    assert kept(f"< {line}", chunk=chunk) == [f"<!{wanted}"]


@chunks
@pytest.mark.parametrize(
    "line",
    [
        f"report|{HEAD}|link-connect|{SESSION}|auth|pass|192.0.2.1:1|192.0.2.2:25",
        f"report|{HEAD}|protocol-client|{SESSION}|MAIL FROM:<a@example.com>",
        f"report|{HEAD}|protocol-client|{SESSION}|EHLO auth|x",
        f"report|{HEAD}|protocol-client|{SESSION}|AUTH LOGIN",
        f"report|{HEAD}|protocol-server|{SESSION}|334 VXNlcm5hbWU6",
        f"report|{HEAD}|filter-response|{SESSION}|ehlo|reject|550 auth|no",
        f"filter|{HEAD}|data-line|{SESSION}|{TOKEN}|auth|PLAIN is a phrase",
        f"filter|{HEAD}|data-line|{SESSION}|{TOKEN}|",
        f"filter|{HEAD}|commit|{SESSION}|{TOKEN}|",
        "config|admd|mail.example.com",
    ],
)
def test_what_stays(line: str, chunk: int | None) -> None:
    assert kept(f"< {line}", chunk=chunk) == [f"< {line}"]


@chunks
def test_the_answer_to_auth(chunk: int | None) -> None:
    other = TOKEN.replace("1", "2")
    assert kept(
        f"< filter|{HEAD}|auth|{SESSION}|{TOKEN}|PLAIN x",
        f"< filter|{HEAD}|ehlo|{SESSION}|{other}|name",
        f"> filter-result|{SESSION}|{other}|reject|550 name",
        f"> filter-result|{SESSION}|{TOKEN}|reject|535 PLAIN x",
        f"> filter-result|{SESSION}|{TOKEN}|reject|550 asked by nobody",
        f"> filter-dataline|{SESSION}|{TOKEN}|auth|x",
        "> anything else",
        chunk=chunk,
    )[2:] == [
        f"> filter-result|{SESSION}|{other}|reject|550 name",
        f">!filter-result|{SESSION}|{TOKEN}|reject|***",
        f">!filter-result|{SESSION}|{TOKEN}|reject|***",
        f"> filter-dataline|{SESSION}|{TOKEN}|auth|x",
        ">!***",
    ]


def test_a_filter_that_registers_nothing_secret_is_passed_in_whole_chunks() -> None:
    clean = FilterRedaction()
    clean.feed(P, b"register|filter|smtp-in|data-line\nregister|ready\n")
    text = f"filter|{HEAD}|data-line|{SESSION}|{TOKEN}|auth|PLAIN\n".encode() * 100
    assert clean.feed(S, text + b"rest") == [(text, False)]
    assert clean.feed(S, b" of it\n") == [(b"rest of it\n", False)]


def test_after_a_loss_in_the_handshake_everything_is_looked_at() -> None:
    clean = FilterRedaction()
    clean.feed(P, b"register|filter|smtp-in|data-line\n")
    clean.lost(P)
    clean.feed(P, b"ister|x\nregister|ready\n")
    line = f"filter|{HEAD}|auth|{SESSION}|{TOKEN}|PLAIN x\n".encode()
    assert clean.feed(S, line) == [(line.replace(b"PLAIN x", b"***"), True)]


def test_after_a_loss_answers_to_unknown_requests_lose_their_text() -> None:
    clean = FilterRedaction()
    for speaker, data in [*REGISTERED, *talk(f"< filter|{HEAD}|ehlo|{SESSION}|{TOKEN}|name")]:
        clean.feed(speaker, data)
    clean.lost(S)
    line = f"filter-result|{SESSION}|{TOKEN}|reject|550 x\n".encode()
    assert clean.feed(P, line) == [(line.replace(b"550 x", b"***"), True)]


# --- on request -------------------------------------------------------------------------------


def message(text: str) -> list[str]:
    return [f"< filter|{HEAD}|data-line|{SESSION}|{TOKEN}|{line}" for line in text.split("\n")]


def back(text: str) -> list[str]:
    return [f"> filter-dataline|{SESSION}|{TOKEN}|{line}" for line in text.split("\n")]


@chunks
def test_bodies(chunk: int | None) -> None:
    found = kept(
        *message("Received: x\nSubject: y\n\nbody a@b\n\n..\n."),
        *back("New: z\nReceived: x\nSubject: y\n\nbody a@b\n\n..\n."),
        bodies=False,
        chunk=chunk,
    )
    assert [line.rpartition("|")[2] for line in found] == [
        *["Received: x", "Subject: y", "", "***", "", "***", "."],
        *["New: z", "Received: x", "Subject: y", "", "***", "", "***", "."],
    ]
    assert [line[1] for line in found] == list("   ! ! " + "    ! ! ")


def test_bodies_behind_a_loss() -> None:
    clean = FilterRedaction(bodies=False)
    for speaker, data in [*REGISTERED, *talk(*message("Received: x\n"))]:
        clean.feed(speaker, data)
    clean.lost(Speaker.SMTPD)
    clean.feed(S, b"cut off\n")
    (found,) = clean.feed(S, f"filter|{HEAD}|data-line|{SESSION}|{TOKEN}|text\n".encode())
    assert found[1]


@chunks
@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        (f"< report|{HEAD}|link-connect|{SESSION}|n|pass|192.0.2.1:1|192.0.2.2:25", "***"),
        (f"< report|{HEAD}|link-identify|{SESSION}|EHLO|name", "***"),
        (f"< report|{HEAD}|tx-mail|{SESSION}|018a64ac|ok|a@b", "018a64ac|***"),
        (f"< report|{HEAD}|protocol-server|{SESSION}|250 2.0.0: Hello name [192.0.2.1]", "250 ***"),
        (f"< report|{HEAD}|protocol-client|{SESSION}|RCPT TO:<a@b>", "RCPT ***"),
        (f"< report|{HEAD}|tx-commit|{SESSION}|018a64ac|2000", "018a64ac|2000"),
        (f"< report|{HEAD}|link-disconnect|{SESSION}", ""),
        (f"< filter|{HEAD}|connect|{SESSION}|{TOKEN}|name|192.0.2.1", f"{TOKEN}|***"),
        (f"< filter|{HEAD}|mail-from|{SESSION}|{TOKEN}|a@b", f"{TOKEN}|***"),
        (f"< filter|{HEAD}|commit|{SESSION}|{TOKEN}|", f"{TOKEN}|"),
        (f"< filter|{HEAD}|data-line|{SESSION}|{TOKEN}|To: a@b", f"{TOKEN}|***"),
        (f"> filter-dataline|{SESSION}|{TOKEN}|To: a@b", f"{TOKEN}|***"),
        (f"> filter-result|{SESSION}|{TOKEN}|rewrite|<a@b>", f"{TOKEN}|rewrite|***"),
        (f"> filter-result|{SESSION}|{TOKEN}|proceed", f"{TOKEN}|proceed"),
    ],
)
def test_addresses(line: str, wanted: str, chunk: int | None) -> None:
    (found,) = kept(line, addresses=False, chunk=chunk)
    assert found.partition(SESSION)[2].removeprefix("|") == wanted
    assert (found[1] == "!") == ("***" in wanted)
