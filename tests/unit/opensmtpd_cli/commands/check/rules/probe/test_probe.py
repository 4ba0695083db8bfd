"""What a probe makes of the answers of a server."""

import socket
import ssl
import time

import pytest

from opensmtpd_cli.commands.check.finding import Finding
from opensmtpd_cli.commands.check.rules.probe import probe
from opensmtpd_cli.commands.check.rules.probe.dialogue import SmtpReply

HELLO = ("mail.example.com", "STARTTLS")
OK, NO, LATER = "250 ok", "550 no", "451 later"


class Script:
    """A server by its answers: to EHLO, MAIL, RCPT and so on. It notes what it is told."""

    def __init__(self, tls: BaseException | None = None, **answers: str | list[str]) -> None:
        self.own, self.peer = "198.51.100.1", "192.0.2.1"
        self.told: list[str] = []
        self._tls, self._answers = tls, {"GREETING": "220 hi", "RSET": OK, **answers}
        self._days = 90.0
        self.closed = False

    def reply(self) -> SmtpReply:
        return self._said("GREETING")

    def ask(self, command: str) -> SmtpReply:
        self.told.append(command)
        verb = command.split(maxsplit=1)[0]
        if verb == "EHLO" and "EHLO" not in self._answers:
            return SmtpReply(250, HELLO)
        return self._said(verb)

    def _said(self, verb: str) -> SmtpReply:
        answer = self._answers.get(verb, OK if verb != "STARTTLS" else "220 go")
        text = answer.pop(0) if isinstance(answer, list) else answer
        if text == "silence":
            raise TimeoutError
        return SmtpReply(int(text[:3]), (text[4:],))

    def start_tls(self, name: str) -> None:
        assert name == "mail.example.com"
        if self._tls:
            raise self._tls

    def expires(self) -> float:
        return time.time() + self._days * 86400

    def close(self) -> None:
        self.closed = True


def probed(monkeypatch: pytest.MonkeyPatch, script: Script) -> list[Finding]:
    monkeypatch.setattr(probe, "connect", lambda _: script)
    found = list(probe.probe("mail.example.com"))
    assert script.closed
    assert not any(command.startswith("DATA") for command in script.told)
    return found


def codes(monkeypatch: pytest.MonkeyPatch, script: Script) -> list[str]:
    return [each.code for each in probed(monkeypatch, script)]


def test_a_server_that_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script(RCPT=NO)
    assert codes(monkeypatch, script) == []
    assert script.told == [
        "EHLO [198.51.100.1]",
        "MAIL FROM:<probe@example.org>",
        "RCPT TO:<probe@example.org>",
        "RSET",
        "MAIL FROM:<postmaster@example.com>",
        "RCPT TO:<probe@example.org>",
        "RSET",
        "STARTTLS",
        "EHLO [198.51.100.1]",
        "QUIT",
    ]


def test_an_open_relay(monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script(RCPT=OK)
    [finding] = probed(monkeypatch, script)
    assert (finding.severity, finding.code) == ("error", "probe-open-relay")
    assert script.told.count("RSET") == 1


def test_an_open_relay_for_its_own_senders(monkeypatch: pytest.MonkeyPatch) -> None:
    assert codes(monkeypatch, Script(RCPT=[NO, OK])) == ["probe-open-relay"]


def test_one_that_wants_tls_first(monkeypatch: pytest.MonkeyPatch) -> None:
    first = ["530 Must issue a STARTTLS command first"] * 2
    assert codes(monkeypatch, Script(MAIL=[*first, OK, OK], RCPT=NO)) == []
    assert codes(monkeypatch, Script(MAIL=[*first, OK, OK], RCPT=OK)) == ["probe-open-relay"]


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (Script(RCPT=LATER), ["probe-unsure"]),
        (Script(MAIL=LATER), ["probe-unsure"]),
        (Script(MAIL=NO), []),
        (Script(RCPT=[LATER, NO]), []),
        (Script(GREETING="554 your address is listed"), ["probe-turned-away"]),
        (Script(GREETING="silence"), ["probe-no-banner"]),
        (Script(EHLO="550 no"), ["probe-turned-away"]),
        (Script(EHLO="silence"), ["probe-broken"]),
        (Script(EHLO="250 no extensions", RCPT=NO), ["probe-no-starttls"]),
        (Script(STARTTLS="454 no", RCPT=NO), ["probe-tls-failed"]),
        (Script(tls=TimeoutError(), RCPT=NO), ["probe-tls-dropped"]),
        (Script(MAIL="530 Must issue a STARTTLS command first", tls=TimeoutError()),
         ["probe-tls-dropped", "probe-unsure"]),
        (Script(MAIL="530 Must issue an AUTH command first"), []),
        (Script(tls=ssl.SSLError(1, "odd"), RCPT=NO), ["probe-tls-failed"]),
        (Script(tls=ConnectionResetError(104, "reset"), RCPT=OK),
         ["probe-tls-failed", "probe-open-relay"]),
    ],
)  # fmt: skip
def test_answers(monkeypatch: pytest.MonkeyPatch, script: Script, expected: list[str]) -> None:
    assert codes(monkeypatch, script) == expected


def test_a_certificate_that_does_not_verify(monkeypatch: pytest.MonkeyPatch) -> None:
    failure = ssl.SSLCertVerificationError(1, "x")
    failure.verify_message = "self-signed certificate"
    [finding] = probed(monkeypatch, Script(tls=failure, RCPT=NO))
    assert finding.fault == (
        "the certificate of mail.example.com does not verify: self-signed certificate"
    )


def test_a_certificate_that_ends_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script(RCPT=NO)
    script._days = 3.2
    [finding] = probed(monkeypatch, script)
    assert finding.fault == "the certificate of mail.example.com ends in 3 days"


def test_the_server_itself_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script()
    script.own = script.peer
    [finding] = probed(monkeypatch, script)
    assert (finding.severity, finding.code) == ("unseen", "probe-itself")
    assert script.told == []


def test_a_server_of_the_foreign_domain(monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script(RCPT=NO)
    monkeypatch.setattr(probe, "connect", lambda _: script)
    monkeypatch.setattr(script, "start_tls", lambda _: None)
    assert list(probe.probe("mx.example.org")) == []
    assert script.told[2] == "RCPT TO:<probe@example.net>"


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (TimeoutError(), "probe-timeout"),
        (ConnectionRefusedError(111, "refused"), "probe-refused"),
        (socket.gaierror(-2, "Name or service not known"), "probe-no-address"),
        (UnicodeError("label too long"), "probe-no-address"),
        (OSError(101, "Network is unreachable"), "probe-unreachable"),
    ],
)
def test_no_connection(monkeypatch: pytest.MonkeyPatch, failure: Exception, code: str) -> None:
    def connect(_: str) -> None:
        raise failure

    monkeypatch.setattr(probe, "connect", connect)
    [finding] = probe.probe("mail.example.com")
    assert (finding.severity, finding.code) == ("error", code)


@pytest.mark.parametrize(
    ("host", "sender"),
    [
        ("192.0.2.1", "postmaster@[192.0.2.1]"),
        ("2001:db8::1", "postmaster@[IPv6:2001:db8::1]"),
        ("example.com", "postmaster@example.com"),
        ("a.b.example.com", "postmaster@b.example.com"),
    ],
)
def test_the_sender_of_its_own(monkeypatch: pytest.MonkeyPatch, host: str, sender: str) -> None:
    script = Script(RCPT=NO)
    monkeypatch.setattr(probe, "connect", lambda _: script)
    monkeypatch.setattr(script, "start_tls", lambda _: None)
    assert list(probe.probe(host)) == []
    assert script.told[4] == f"MAIL FROM:<{sender}>"
