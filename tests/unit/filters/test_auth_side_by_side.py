"""filter-auth beside the C filter: the same lines in, and the field that the C filter wrote.

What differs on purpose is listed in ``unit.support.c_filter_auth``. Besides, the texts of reasons
differ, DMARC is ours alone, and so is who is not judged.
"""

import re

import pytest

from opensmtpd.testing import Outcome, run_message
from unit.support import valimail
from unit.support.arc_messages import SUITES
from unit.support.auth_mail import SERVFAIL, make
from unit.support.c_filter_auth import BROKEN, MESSAGE, RECORDED, ZONE, Recorded, mended, words

REASON = re.compile(r' reason="[^"]*"')
SUITE = {
    case.name: case for case in valimail.cases(SUITES / "arc" / "arc-draft-validation-tests.yml")
}
CASES = [case for case in RECORDED if not case.suite or SUITE]


def judged(case: Recorded) -> Outcome:
    """Return what becomes of a message."""
    flags, name = " ".join(case.arguments[:-1]), "".join(case.arguments[-1:])
    text, zone = case.signatures + MESSAGE, {}
    if case.suite:
        text, zone = SUITE[case.suite].message.decode(), SUITE[case.suite].records
    if case.changed[0]:
        assert case.changed[0] in text
        text = text.replace(*case.changed)
    return run_message(
        make(flags, ZONE, zone, {BROKEN: SERVFAIL}, authserv_id=name),
        text.encode(),
        rdns=case.rdns.encode(),
        fcrdns=case.fcrdns,
        source=case.source.encode(),
        helo=case.helo.encode(),
        sender=case.sender.encode(),
    )


def field(outcome: Outcome) -> str:
    """Return the field on top, on one line, without what C does not have."""
    top = outcome.message.partition(outcome.received)[0].decode().split("\n")
    return words(top).rpartition("; dmarc=")[0]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_same_field_as_in_c_but_for_the_listed_differences(case: Recorded) -> None:
    wanted = mended(case).replace("conf.test", "example.com")  # as the model of smtpd is called
    assert REASON.sub("", field(judged(case))) == REASON.sub("", wanted)


def test_a_client_on_the_same_machine_is_not_judged_as_c_does() -> None:
    outcome = judged(RECORDED[0]._replace(source="127.0.0.1:4000", rdns="localhost"))
    assert outcome.message.startswith(
        b"Authentication-Results: mx.test; none (not judged: local)\nReceived:"
    )
