"""dkimpy's opinion, and what becomes of its errors."""

import sys

import dkim
import pytest

from opensmtpd.dns import Found, Question, RecordType
from opensmtpd.dns.lookup import run_lookup
from opensmtpd.errors import ConfigError
from opensmtpd.testing import Zone
from opensmtpd_cli.commands.authenticate.judge import Opinion, opinions, published
from unit.support.c_filter_auth import MESSAGE, RSA, ZONE

NO_ARC = Opinion("arc", "none", "Message is not ARC signed")


def key(name: str) -> bytes | None:
    found = ZONE.get(name)
    return found[0].encode() if found else None


def opinion(text: str) -> list[Opinion]:
    return opinions(text.replace("\n", "\r\n").encode(), key)


def test_each_signature_from_the_top_and_the_chain() -> None:
    gone = RSA.replace("s=s;", "s=gone;")
    assert opinion(RSA + gone + MESSAGE) == [
        Opinion("dkim", "pass"),
        Opinion("dkim", "fail", "missing public key: b'gone._domainkey.example.com.'"),
        NO_ARC,
    ]


def test_a_changed_message() -> None:
    assert opinion(RSA + MESSAGE.replace("Minutes", "Seconds"))[0] == Opinion("dkim", "fail")
    changed = opinion(RSA + MESSAGE.replace("text", "tale"))[0]
    assert changed.result == "error"
    assert changed.reason.startswith("body hash mismatch")


@pytest.mark.parametrize("message", [MESSAGE, ""])
def test_no_signature(message: str) -> None:
    assert opinion(message) == [NO_ARC]


@pytest.mark.parametrize("message", ["no header\n", " folded: first\n\nhello\n"])
def test_a_message_that_it_cannot_read(message: str) -> None:
    [said] = opinion(message)
    assert (said.method, said.result) == ("dkim", "error")


def test_an_error_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> bool:
        raise KeyError

    monkeypatch.setattr(dkim.DKIM, "verify", fails)
    assert opinion(RSA + MESSAGE)[0] == Opinion("dkim", "error", "KeyError")


def test_without_dkimpy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dkim", None)
    with pytest.raises(ConfigError) as error:
        opinion(MESSAGE)
    assert str(error.value) == (
        "the judge dkimpy needs dkim; pip install dkimpy, or python3-dkim of Debian"
    )


def test_the_text_of_a_key() -> None:
    zone = Zone({Question("a.test", RecordType.TXT): Found(("v=1 \xff", "another"))})
    assert run_lookup(published("a.test"), zone, 1.0) == b"v=1 \xff"
    assert run_lookup(published("b.test"), zone, 1.0) is None
