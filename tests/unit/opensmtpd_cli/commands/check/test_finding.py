"""The findings of ``check``."""

from opensmtpd_cli.commands.check import finding
from opensmtpd_cli.commands.check.finding import Finding, Severity


def test_a_finding_has_the_place_and_the_severity_of_its_maker() -> None:
    place = ("/etc/smtpd.conf", 7)
    assert finding.error("a-b", place, "fault", "Why.", "do it") == Finding(
        Severity.ERROR, "a-b", "/etc/smtpd.conf", 7, "fault", "Why.", "do it"
    )
    assert finding.warning("a-b", place, "fault").severity == "warning"
    assert finding.unseen("a-b", finding.NOWHERE, "fault")[2:] == ("", 0, "fault", "", "")
