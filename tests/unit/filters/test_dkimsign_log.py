"""filter-dkimsign: the log lines about authors without a key, and about signatures."""

from pathlib import Path

import pytest

from unit.support.dkim_material import tags
from unit.support.dkimsign_flags import ed, make, rsa, table
from unit.support.talk import Talk, data

SESSION = "1718c5e591926d28"
REMEDY = (
    'remedy="name this domain, too (-d, or a line of the key table),'
    ' or leave it unsigned (-u skip)"'
)
NO_KEY = f'{SESSION} dkim-unmatched reason="no key for the domain"'


def send(talk: Talk, author: bytes, *more: bytes) -> list[bytes]:
    answer = talk.say(data(b"From: " + author, *more, b"", b"body", b".")) + talk.rest()
    return [line.split(b"|", 3)[3] for line in answer.splitlines()]


def test_the_first_message_of_a_domain_without_a_key_is_logged(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    talk = Talk(make(ed(folder)))
    for author in (b"a@exmaple.com", b"b@exmaple.com", b"c@other.example", b"a@EXMAPLE.com"):
        assert tags(send(talk, author))[b"d"] == b"example.com"
    send(talk, b"a@example.com")
    assert capfd.readouterr().err == (
        f"{NO_KEY} domain=exmaple.com signs=example.com {REMEDY}\n"
        f"{NO_KEY} domain=other.example signs=example.com {REMEDY}\n"
    )


def test_no_more_than_256_domains_are_named(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    filter = make(ed(folder))
    talk = Talk(filter)
    for number in range(300):
        assert tags(send(talk, b"a@d%d.example" % number))[b"d"] == b"example.com"
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == 257
    assert lines[255] == f"{NO_KEY} domain=d255.example signs=example.com {REMEDY}"
    assert lines[256] == 'dkim-unmatched reason="256 domains have no key; no more are named"'
    filter.reload().function()()
    send(talk, b"a@d299.example")
    assert capfd.readouterr().err == f"{NO_KEY} domain=d299.example signs=example.com {REMEDY}\n"


def test_each_author_without_a_domain_is_logged(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    talk = Talk(make(ed(folder)))
    for _ in range(2):
        assert tags(send(talk, b"a@example.com b@example.com"))[b"d"] == b"example.com"
    line = f'{SESSION} dkim-unmatched reason="no domain in From" signs=example.com\n'
    assert capfd.readouterr().err == 2 * line


def test_nothing_is_logged_of_mail_that_is_signed(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    send(Talk(make(ed(folder))), b"a@example.com")
    assert capfd.readouterr().err == ""


def test_each_signature_is_logged_where_that_is_asked_for(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    flags = table(folder, "example.com mail rsa.key\nexample.com ed ed.key\nb.example ed ed.key\n")
    talk = Talk(make([*flags, "--log-signed", "-u", "skip"]))
    capfd.readouterr()
    send(talk, b"a@sub.example.com")
    send(talk, b"a@b.example", b"X: " + b"x" * 10_000)
    assert capfd.readouterr().err == (
        f"{SESSION} dkim-signed domain=example.com selector=mail\n"
        f"{SESSION} dkim-signed domain=example.com selector=ed\n"
        f"{SESSION} dkim-signed domain=b.example selector=ed\n"
    )
    assert send(talk, b"a@c.example") == [b"From: a@c.example", b"", b"body", b"."]
    assert " dkim-unsigned " in (said := capfd.readouterr().err)
    assert " dkim-signed " not in said


def test_a_signature_is_logged_when_it_is_made(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    talk = Talk(make(rsa(folder, "--log-signed")))
    capfd.readouterr()
    talk.say(data(b"From: a@example.com", b"", b"."))
    assert capfd.readouterr().err == ""
    talk.rest()
    assert capfd.readouterr().err == f"{SESSION} dkim-signed domain=example.com selector=mail\n"
