"""A verdict becomes a decision for smtpd and a line of the log."""

import pytest

from opensmtpd.mail.policy.action import JUNK_IT, OFF, Action, Response
from opensmtpd.mail.policy.verdict import PolicyVerdict, Reason, decide
from unit.support.mail_client import client

S = "1718c5e591926d28"
NO_NAME = Reason("rdns", "192.0.2.5 has no name in the DNS")
SAME = Reason("fcrdns", "192.0.2.5 has no name in the DNS")
SOME = client("192.0.2.5", "mail.example.net", helo=b"Mail.Example.net", sender=b"bob@x.example")


@pytest.mark.parametrize(
    ("response", "event", "decision"),
    [
        (OFF, "undecided", "Proceed()"),
        (Response(Action.HEADER), "header", "Proceed()"),
        (JUNK_IT, "junk", "Junk()"),
        (Response(Action.TEMPFAIL, 451), "tempfail", "Reject(451, '4.7.1 Refused')"),
        (Response(Action.REJECT, 550), "reject", "Reject(550, '5.7.1 Refused')"),
        (Response(Action.DISCONNECT, 421), "disconnect", "Disconnect(421, '4.7.1 Refused')"),
        (Response(Action.REJECT, 554, "No"), "reject", "Reject(554, 'No')"),
    ],
)
def test_each_action_has_its_decision_and_its_line(
    response: Response, event: str, decision: str, capfd: pytest.CaptureFixture[str]
) -> None:
    made = decide(S, SOME, PolicyVerdict(response, (NO_NAME,)))
    assert repr(made) == decision
    assert capfd.readouterr().err == (
        f"{S} {event} check=rdns address=192.0.2.5 rdns=mail.example.net helo=Mail.Example.net"
        ' reason="192.0.2.5 has no name in the DNS"\n'
    )


def test_a_client_of_whom_little_is_known(capfd: pytest.CaptureFixture[str]) -> None:
    decide(S, client("192.0.2.5")._replace(address=None), PolicyVerdict(JUNK_IT, (NO_NAME,)))
    assert capfd.readouterr().err == (
        f'{S} junk check=rdns reason="192.0.2.5 has no name in the DNS"\n'
    )


@pytest.mark.parametrize(
    ("reasons", "said"),
    [
        ((), 'check="" reason=""'),
        ((NO_NAME, SAME), 'check=rdns,fcrdns reason="192.0.2.5 has no name in the DNS"'),
        (
            (Reason("dnsbl", "at a"), Reason("dnsbl", "at b"), Reason("dnsbl", "at a")),
            'check=dnsbl reason="at a; at b"',
        ),
    ],
)
def test_what_is_said_twice_is_said_once(
    reasons: tuple[Reason, ...], said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    nobody = client("192.0.2.5")._replace(address=None)
    decide(S, nobody, PolicyVerdict(OFF, reasons))
    assert capfd.readouterr().err == f"{S} undecided {said}\n"


def test_the_fields_of_a_text() -> None:
    text = "{ip} {rdns} {helo} {sender} {check}: {reason} {list}"
    made = PolicyVerdict(
        Response(Action.REJECT, 550, text),
        (NO_NAME, Reason("dnsbl", "listed")),
        fields={"list": "a.example", "reason": "never seen", "sender": "its own"},
    )
    assert repr(decide(S, SOME, made)) == (
        "Reject(550, '192.0.2.5 mail.example.net Mail.Example.net its own rdns,dnsbl:"
        " 192.0.2.5 has no name in the DNS; listed a.example')"
    )


def test_the_text_of_the_check_stands_where_the_administrator_gave_none() -> None:
    made = PolicyVerdict(
        Response(Action.TEMPFAIL, 450), (NO_NAME,), "7.25 Reverse DNS failed: {ip}"
    )
    assert repr(decide(S, SOME, made)) == "Reject(450, '4.7.25 Reverse DNS failed: 192.0.2.5')"


def test_what_a_client_says_breaks_no_line(capfd: pytest.CaptureFixture[str]) -> None:
    evil = client("192.0.2.5", "a\nb", helo=b"x|\r\n\x1b[0m\xff")
    response = Response(Action.REJECT, 550, "{rdns} {helo} {reason}")
    made = decide(S, evil, PolicyVerdict(response, (Reason("helo-name", "\r\nbad"),)))
    assert repr(made) == r"Reject(550, 'a?b x|???[0m\\xff ??bad')"
    [line] = capfd.readouterr().err.splitlines()
    assert line.startswith(f"{S} reject check=helo-name address=192.0.2.5 ")
    assert line.isprintable()
