"""filter-dkimsign with -A and -S."""

import re
from pathlib import Path

import pytest

from opensmtpd.errors import ConfigError
from unit.support.arc_messages import verified
from unit.support.dkim_material import ED25519_PUBLIC
from unit.support.dkimsign_flags import ed, make, rsa, table
from unit.support.talk import Talk, data

SESSION = "1718c5e591926d28"
RESULTS = b"ARC-Authentication-Results: i=1; mx.example.com; arc=none"
MESSAGE = [
    b"Received: from client",
    b"From: Ann <ann@example.net>",
    b"Date: Thu, 1 Jan 2026 00:00:00 +0000",
    b"",
    b"hello",
]


def through(talk: Talk, lines: list[bytes]) -> list[bytes]:
    """Send a message; return its lines as they come back."""
    answer = talk.say(data(*lines, b".")) + talk.rest()
    return [line.split(b"|", 3)[3] for line in answer.splitlines()][:-1]


def said(capfd: pytest.CaptureFixture[str]) -> str:
    """Return the new lines of the log about ARC; a slow machine has others."""
    lines = capfd.readouterr().err.splitlines(keepends=True)
    return "".join(line for line in lines if "arc-" in line)


def test_a_set(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    signed = through(Talk(make(ed(folder, "-A", "--log-signed"))), [RESULTS, *MESSAGE])
    assert signed[0].startswith(
        b"ARC-Message-Signature: i=1; a=ed25519-sha256; s=ed; c=relaxed/relaxed;"
    )
    assert b" h=date:from; d=example.com; b=" in re.sub(rb"\s+", b" ", b"".join(signed))
    sealed = through(Talk(make(ed(folder, "-S", "-t", "--log-signed"))), signed)
    assert re.match(rb"ARC-Seal: i=1; a=ed25519-sha256; s=ed; cv=none; t=\d+; d=ex", sealed[0])
    assert sealed[-len(signed) :] == signed
    assert signed[-len(MESSAGE) - 1 :] == [RESULTS, *MESSAGE]
    # Not a word of the author's domain, which has no key: it seldom has one.
    line = f"{SESSION} arc-signed domain=example.com selector=ed\n"
    assert said(capfd) == line * 2
    zone = {"ed._domainkey.example.com": ED25519_PUBLIC.decode()}
    assert verified(b"\n".join(sealed) + b"\n", zone).result == "pass"


@pytest.mark.parametrize("flag", ["-A", "-S"])
def test_without_results_a_message_goes_on_as_it_came(
    folder: Path, capfd: pytest.CaptureFixture[str], flag: str
) -> None:
    talk = Talk(make(ed(folder, flag)))
    for lines in (MESSAGE, [MESSAGE[0], RESULTS, *MESSAGE[1:]]):
        assert through(talk, lines) == lines
        assert said(capfd) == (
            f'{SESSION} arc-unsigned reason="no ARC-Authentication-Results on top"\n'
        )


def test_a_key_table_signs_with_its_first_line(folder: Path) -> None:
    text = "example.com mail rsa.key\nexample.com ed ed.key\nexample.net ed ed.key\n"
    lines = through(Talk(make([*table(folder, text), "-A"])), [RESULTS, *MESSAGE])
    assert lines[0].startswith(b"ARC-Message-Signature: i=1; a=rsa-sha256; s=mail; ")
    assert b"\n".join(lines).count(b"ARC-Message-Signature:") == 1


def test_fields_that_are_left_out(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    talk = Talk(make(ed(folder, "-A", "-h", "from:to:bcc:received", "--oversign")))
    assert said(capfd) == (
        'arc-not-covered fields=bcc reason="smtpd drops this field after its filters"\n'
        'arc-not-oversigned fields=received reason="mail systems add these fields"\n'
    )
    lines = through(talk, [RESULTS, *MESSAGE[:2], b"To: bob", *MESSAGE[2:]])
    assert b" h=from:received:from;" in re.sub(rb"\s+", b" ", b"".join(lines))
    assert said(capfd) == (
        f'{SESSION} arc-not-covered fields=to reason="a bare address, which smtpd will complete"\n'
    )


def test_flags_that_contradict_each_other(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"^-A does not go with -S; "):
        make(rsa(folder, "-AS"))
