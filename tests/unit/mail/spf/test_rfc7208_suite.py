"""The published test suite of RFC 7208, on plain data."""

from ipaddress import ip_address

import pytest

from lab.support import SUITES
from opensmtpd.mail.spf.check import check_host
from opensmtpd.mail.spf.identity import mail_from_identity
from unit.support.lookup_run import LookupRun
from unit.support.spf_suite import DEFAULT, Case, PlainDns, cases

PATH = SUITES / "spf" / "rfc7208-tests.yml"
CASES = list(cases(PATH)) if PATH.is_file() else []


def test_the_suite_is_there() -> None:
    if not CASES:
        pytest.skip(f"no {PATH}; OPENSMTPD_PLUGINS_SUITES names another folder")
    assert len(CASES) == 203


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_case(case: Case) -> None:
    domain, sender = mail_from_identity(case.sender.encode(), case.helo.encode())
    run = LookupRun(PlainDns(case.zone))
    found = run(check_host(ip_address(case.host), domain, sender, case.helo))
    assert found.result in case.results
    if case.explanation:
        assert (found.explanation or DEFAULT) == case.explanation
