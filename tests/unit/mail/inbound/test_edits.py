"""The fields that a message gets, and those that it loses."""

from collections.abc import Callable, Sequence
from typing import Any, cast

import pytest

from opensmtpd.filter import EditedMessage
from opensmtpd.mail.inbound.disposition import dispose
from opensmtpd.mail.inbound.edits import (
    hides_results,
    remove_forgeries,
    write_exemption,
    write_results,
)
from opensmtpd.mail.inbound.exemption import Exemption
from opensmtpd.mail.inbound.rules import InboundRules
from unit.support.edits import Does
from unit.support.inbound_findings import CHAIN, FAIL, PASS, findings
from unit.support.inbound_suites import inbound
from unit.support.lone_message import message, sent

OURS = [
    b"Authentication-Results: mx.test; dmarc=pass",
    b"Authentication-Results : MX.Test 1; none",
    b'authentication-results: (x) "mx.test"; none',
    b"AUTHENTICATION-RESULTS:",
    b"\t mx.test; none",
    b"Authentication-Results: ; dmarc=pass",
]
HIDDEN = [
    b"Subject: x\rAuthentication-Results: mx.test; dmarc=pass",
    b"X-Note: x\r\rAUTHENTICATION-results \v: mx.example; dmarc=pass",
    b"X-Folded: x",
    b" y\rauthentication-results:mx.test; dmarc=pass",
]
OTHERS = [
    b"Authentication-Results: mx.example; dmarc=pass",
    b"ARC-Authentication-Results: i=1; mx.test; dmarc=pass",
    b"X-Authentication-Results: mx.test; dmarc=pass",
    b"Subject: Authentication-Results: mx.test",
    b"X-Other: x\rX-Authentication-Results: mx.test",
]
TOP = [b"X-Spam: Yes", b"Authentication-Results: mx.test; x=pass"]
RECEIVED = [b"Received: from x", b"\tby y"]
SPAM = [b"X-Spam: No", b" folded", b"X-Spam-Reason: none"]


def edited(edit: Callable[[EditedMessage], None], lines: Sequence[bytes]) -> list[bytes]:
    m = message(Does(edit))
    m.receive([*lines, b"", b"text"])
    m.close_input(m.end())
    out = sent(m)
    assert out[-3:] == [b"", b"text", b"."]
    return out[:-3]


def test_results_of_the_client_that_pretend_to_be_ours_go() -> None:
    assert edited(
        lambda mail: remove_forgeries(mail, "mx.test", spam=False),
        [*TOP, *RECEIVED, *OURS, *OTHERS],
    ) == [*TOP, *RECEIVED, *OTHERS]


def test_results_behind_a_carriage_return_go_with_their_field() -> None:
    lines = [*TOP, *RECEIVED, *HIDDEN, *OTHERS]
    removed = edited(lambda mail: remove_forgeries(mail, "mx.test", spam=False), lines)
    assert removed == [*TOP, *RECEIVED, *OTHERS]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"Authentication-Results\r: mx.test; dmarc=pass", True),
        (b"authentication-results \v\f : mx.test; dmarc=pass", True),
        (b"no field\rAuthentication-Results: mx.test; dmarc=pass", True),
        (b"Subject: x\rAuthentication-Results: mx.test", False),  # it can be removed
        (b"Authentication-Results: mx.test\r", False),
        (b"X-Authentication-Results\r: mx.test", False),
    ],
)
def test_lines_that_are_no_fields_and_look_like_results(line: bytes, expected: bool) -> None:
    assert hides_results(b"\n" + b"\n".join([*RECEIVED, line, *OTHERS])) is expected


@pytest.mark.parametrize("spared", [Exemption.AUTHENTICATED, Exemption.LOCAL])
def test_an_exemption(spared: Exemption) -> None:
    said = b"Authentication-Results: mx.test; none (not judged: %s)" % spared.encode()
    lines = [*RECEIVED, *SPAM, *OURS, *OTHERS]
    assert edited(lambda mail: write_exemption(mail, "mx.test", spared), lines) == [
        *(said, *RECEIVED, *SPAM, *OTHERS)
    ]


def test_a_server_of_ours_keeps_its_results() -> None:
    lines = [*RECEIVED, *OURS]
    assert edited(lambda mail: write_exemption(mail, "mx.test", Exemption.LISTED), lines) == [
        b"Authentication-Results: mx.test; none (not judged: listed)",
        *lines,
    ]


@pytest.mark.parametrize(
    "case",
    [each for each in inbound("authres.json", "incoming") if "peer" in cast("Any", each.values[0])],
)
def test_published_case_of_a_server_of_ours(case: dict[str, Any]) -> None:
    assert (case["peer"], case["expect"]) == ("trusted", "keep")
    lines = [*RECEIVED, *(line.encode() for line in case["field"])]
    spared = edited(lambda mail: write_exemption(mail, "mx.example.com", Exemption.LISTED), lines)
    assert spared[1:] == lines


def written(
    lines: Sequence[bytes],
    rules: InboundRules,
    *,
    sealed: bool = False,
    reasons: bool = False,
    **found: object,
) -> list[bytes]:
    results = findings(**found)

    def edit(mail: EditedMessage) -> None:
        disposition = dispose(results, rules)
        write_results(mail, "mx.test", results, disposition, arc=sealed, reasons=reasons)

    out = edited(edit, lines)
    while out[1].startswith(b"\t"):
        out[0] += b" " + out.pop(1).strip()
    return out


QUARANTINE = FAIL._replace(policy="quarantine", disposition="quarantine")
REASON = b"X-Spam-Reason: auth; DMARC policy of example.com: quarantine"


def test_a_message_that_passes_gets_its_results_and_loses_forgeries() -> None:
    out = written([*TOP, *RECEIVED, *SPAM, *OURS, *OTHERS], InboundRules(), dmarc=PASS)
    assert out[0].startswith(b"Authentication-Results: mx.test; dkim=none; arc=none; ")
    assert out[1:] == [*TOP, *RECEIVED, *OTHERS]


def test_a_message_that_is_junk_says_why() -> None:
    out = written(RECEIVED, InboundRules(enforce=True), dmarc=QUARANTINE)
    assert out[1:] == [b"X-Spam: Yes", REASON, *RECEIVED]


def test_reasons_of_messages_that_are_not_junk_where_they_are_wanted() -> None:
    assert written(RECEIVED, InboundRules(), dmarc=QUARANTINE)[1:] == RECEIVED
    out = written(RECEIVED, InboundRules(), reasons=True, dmarc=QUARANTINE)
    assert out[1:] == [REASON, *RECEIVED]
    assert written(RECEIVED, InboundRules(), reasons=True, dmarc=PASS)[1:] == RECEIVED


def test_the_first_field_of_an_arc_set() -> None:
    first = written(RECEIVED, InboundRules(), sealed=True, dmarc=PASS)
    assert first[0].startswith(b"ARC-Authentication-Results: i=1; mx.test; dkim=none; ")
    third = written(RECEIVED, InboundRules(), sealed=True, dmarc=PASS, arc=CHAIN)
    assert third[0].startswith(b"ARC-Authentication-Results: i=3; mx.test; dkim=none; arc=pass ")


def test_a_chain_that_has_ended_gets_no_set() -> None:
    ended = CHAIN._replace(result="fail", next_instance=None)
    out = written(RECEIVED, InboundRules(), sealed=True, dmarc=PASS, arc=ended)
    assert out[0].startswith(b"Authentication-Results: mx.test; dkim=none; arc=fail ")
