"""What programs say at their start, as findings."""

from opensmtpd_cli.commands.check.finding import Finding, Severity
from opensmtpd_cli.commands.check.programs import findings
from opensmtpd_cli.commands.check.programs.trial import Trial

FAILS = "smtpd would stop when it starts, or put off all mail that needs this table."
PLACE = ("/etc/smtpd.conf", 7)
KEY = (
    "key-ignored key=query_aliases at=/etc/mail/t.conf:2"
    ' reason="it is unknown"'
)  # fmt: skip


def checked(*log: str, fault: str = "it ended with status 1") -> list[Finding]:
    return list(findings.of_check("table", PLACE, "table a", "table-sqlite", Trial(fault, [*log])))


def test_the_last_line_of_ours_is_fault_and_remedy() -> None:
    assert checked("noise", "table-sqlite: no query; say what to look up", "") == [
        Finding(
            Severity.ERROR,
            "table-refuses",
            *PLACE,
            "table a: no query",
            FAILS,
            "say what to look up",
        )
    ]


def test_a_fault_in_a_file_of_its_own_has_that_place() -> None:
    (found,) = checked("table-sqlite: /etc/mail/t.conf:2: query_alias: no such column: val")
    assert (found.path, found.line) == ("/etc/mail/t.conf", 2)
    assert (found.fault, found.remedy) == ("table a: query_alias: no such column: val", "")


def test_a_fault_without_a_line_stays_where_smtpd_conf_has_it() -> None:
    (found,) = checked("table-sqlite: /etc/mail/t.conf: cannot read it; did you mean s.conf?")
    assert (found.path, found.line) == PLACE
    assert found.fault == "table a: /etc/mail/t.conf: cannot read it"


def test_ours_that_says_nothing() -> None:
    (found,) = checked()
    assert found.fault == "table a: it ended with status 1"


def test_keys_that_mean_nothing() -> None:
    (found,) = checked(KEY, fault="")
    assert found == Finding(
        Severity.WARNING,
        "table-key-ignored",
        "/etc/mail/t.conf",
        2,
        "table a: the key query_aliases means nothing: it is unknown",
        "The line has no effect.",
        "did you mean query_alias?",
    )
    assert checked("dkim-key-warning reason=x", fault="") == []


def test_a_line_of_the_log_that_was_cut() -> None:
    (found,) = checked('key-ignored key=xx at=/t:9 reason="it is of no', fault="")
    assert (found.path, found.line) == ("/t", 9)
    assert found.fault == "table a: the key xx means nothing: it is of no"


def test_a_filter_whose_server_may_be_away() -> None:
    said = "filter-rspamd: http://localhost:11333: Connection refused; start rspamd there"
    trial = Trial("it ended with status 1", [said])
    (found,) = findings.of_check("filter", PLACE, 'filter "r"', "filter-rspamd", trial)
    assert found.code == "filter-refuses"
    assert found.fault == 'filter "r": http://localhost:11333: Connection refused'
    assert found.why == "smtpd would stop when it starts, or put off mail while rspamd is away."
    (found,) = findings.of_check("filter", PLACE, 'filter "m"', "filter-milter", trial)
    assert found.why == "smtpd would stop when it starts, or put off mail while a milter is away."
    (found,) = findings.of_check("filter", PLACE, 'filter "d"', "filter-dnsbl", trial)
    assert found.why == "smtpd would stop when it starts, and say so in its log only."


def test_a_program_of_somebody_else() -> None:
    found = findings.of_end("filter", PLACE, 'filter "x"', Trial("it died of SIGSEGV", ["a", "b"]))
    assert found.fault == 'filter "x" does not start: it died of SIGSEGV; it says: b'
    hangs = findings.of_hang(
        "table", PLACE, "table t", Trial("does not answer within 5 s", [], True)
    )
    assert (hangs.code, hangs.fault) == ("table-hangs", "table t does not answer within 5 s")
