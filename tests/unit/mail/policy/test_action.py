"""The actions of a policy filter, and their decisions on the wire."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd.errors import ConfigError
from opensmtpd.filter import JUNK, PROCEED, REPLY_MAX, Disconnect, Reject
from opensmtpd.mail.policy.action import FIELDS, OFF, Action, Response, fill, harmless, response

CLIENT = {"ip": "192.0.2.5", "rdns": "", "helo": "me", "check": "rdns", "reason": "no name"}
DEFAULT = "7.25 Reverse DNS validation failed"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("off", OFF),
        ("junk", Response(Action.JUNK)),
        ("header", Response(Action.HEADER)),
        ("reject", Response(Action.REJECT, 550)),
        ("disconnect", Response(Action.DISCONNECT, 550)),
        ("tempfail", Response(Action.TEMPFAIL, 451)),
        ("reject:", Response(Action.REJECT, 550)),
        ("reject:No name: {ip}", Response(Action.REJECT, 550, "No name: {ip}")),
        ("reject:554 5.7.1 No", Response(Action.REJECT, 554, "5.7.1 No")),
        ("reject:554", Response(Action.REJECT, 550, "554")),
        ("disconnect:421 4.7.0 Later", Response(Action.DISCONNECT, 421, "4.7.0 Later")),
        ("tempfail:450 Later", Response(Action.TEMPFAIL, 450, "Later")),
    ],
)
def test_what_can_be_said(text: str, expected: Response) -> None:
    assert response(text) == expected


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "'' is no action; write one of off, header, junk, tempfail, reject, disconnect"),
        ("Junk", "'Junk' is no action"),
        ("junk:text", "junk with a text; only reject, disconnect and tempfail have one"),
        ("reject:451 Later", "reject with reply code 451; 4xx is for tempfail, 5xx for reject"),
        ("tempfail:550 No", "tempfail with reply code 550"),
        ("reject:{nobody}", "'{nobody}' has a field {nobody}; there are {ip}, {rdns}"),
        ("reject:{}", "'{}' has a field {}"),
        ("reject:{ip!r}", "has a field {ip}"),
        ("reject:{ip:9}", "has a field {ip}"),
        ("reject:{ip", "'{ip': expected '}' before end of string; braces are for {ip}"),
        ("reject:no\nname", "is not printable ASCII; SMTP replies are"),
        ("reject:grüß", "is not printable ASCII"),
    ],
)
def test_what_cannot(text: str, fault: str) -> None:
    with pytest.raises(ConfigError) as caught:
        response(text)
    assert fault in str(caught.value)


@pytest.mark.parametrize(
    ("text", "decision"),
    [
        ("junk", JUNK),
        ("header", PROCEED),
        ("off", PROCEED),
        ("reject", Reject(550, "5.7.25 Reverse DNS validation failed")),
        ("tempfail", Reject(451, "4.7.25 Reverse DNS validation failed")),
        ("disconnect", Disconnect(550, "5.7.25 Reverse DNS validation failed")),
        ("reject:{ip} {rdns} {check}", Reject(550, "192.0.2.5 - rdns")),
        ("reject:{{{reason}}}", Reject(550, "{no name}")),
        ("disconnect:421 Bye {helo}", Disconnect(421, "Bye me")),
    ],
)
def test_what_smtpd_hears(text: str, decision: object) -> None:
    answer = response(text).decision(DEFAULT, CLIENT)
    assert type(answer) is type(decision)
    assert answer.wire("connect") == decision.wire("connect")


def test_the_strongest_is_the_greatest() -> None:
    assert sorted(Action) == [
        Action.OFF,
        Action.HEADER,
        Action.JUNK,
        Action.TEMPFAIL,
        Action.REJECT,
        Action.DISCONNECT,
    ]


@given(st.sampled_from(["reject", "disconnect", "tempfail"]), st.text(), st.text())
def test_no_client_makes_a_reply_illegal(action: str, helo: str, reason: str) -> None:
    """Whatever fills the fields, a decision can be made of it: Reject raises for any other."""
    fields = {"helo": helo, "reason": reason}
    wire = response(f"{action}:{{helo}} {{reason}}").decision(DEFAULT, fields).wire("connect")
    assert wire.startswith(b"disconnect|550 " if action == "disconnect" else b"reject|")
    assert b"\n" not in wire
    assert len(wire.partition(b"|")[2]) <= REPLY_MAX


def test_a_long_text_is_cut() -> None:
    """Where it is cut no blank is left, which some clients would take for more to come."""
    answer = response("reject:{reason}").decision(DEFAULT, {"reason": "x" * 505 + " " + "y" * 99})
    assert answer.wire("connect") == b"reject|550 " + b"x" * 505


def test_text_that_a_client_made_up() -> None:
    assert harmless("a\r\n b\x00ü|") == "a?? b??|"
    assert fill("{ip}{helo}", {"ip": "1"}) == "1-"
    assert set(FIELDS) == {"ip", "rdns", "helo", "sender", "check", "reason"}
