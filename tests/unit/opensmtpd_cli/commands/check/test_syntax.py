"""What ``smtpd -n`` says, as findings. Here a script says it."""

import os
from pathlib import Path

import pytest

from opensmtpd_cli.commands.check import finding, syntax
from opensmtpd_cli.commands.check.finding import Severity
from opensmtpd_cli.smtpdconf.parser import read
from unit.support.swap import smtpd_conf

CONF = "/etc/mail/smtpd.conf"


def smtpd(folder: Path, said: str, status: int) -> str:
    program = folder / "smtpd"
    program.write_text(f"#!/bin/sh\ncat >&2 <<'E'\n{said}\nE\nexit {status}\n")
    program.chmod(0o755)
    return str(program)


def test_nothing_is_said_of_what_smtpd_takes(tmp_path: Path) -> None:
    assert list(syntax.complaints(CONF, smtpd(tmp_path, "configuration OK", 0))) == []


def test_each_complaint_has_its_line(tmp_path: Path) -> None:
    said = f"{CONF}:3: syntax error\n/etc/mail/more.conf:12: syntax error\nsomething else"
    found = list(syntax.complaints(CONF, smtpd(tmp_path, said, 1)))
    assert [each[:5] for each in found] == [
        (Severity.ERROR, "conf-syntax", CONF, 3, "syntax error"),
        (Severity.ERROR, "conf-syntax", "/etc/mail/more.conf", 12, "syntax error"),
    ]


def test_without_root_only_the_grammar_is_certain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = f'{CONF}:3: invalid use of table "x"'
    program = smtpd(tmp_path, said, 1)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert [each.severity for each in syntax.complaints(CONF, program)] == [Severity.UNSEEN]
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert [each.severity for each in syntax.complaints(CONF, program)] == [Severity.ERROR]


def test_the_last_line_counts_where_none_has_a_place(tmp_path: Path) -> None:
    (found,) = syntax.complaints(CONF, smtpd(tmp_path, "smtpd: first\nsmtpd: no such key", 1))
    assert (found.path, found.line, found.fault) == (CONF, 0, "no such key")


def test_an_smtpd_that_cannot_be_run_has_judged_nothing(tmp_path: Path) -> None:
    (found,) = syntax.complaints(CONF, str(tmp_path / "none"))
    assert (found.severity, found.code) == (Severity.UNSEEN, "conf-not-judged")


DEFINED = """\
listen on lo0 filter "dkim"
filter "dkim" proc-exec "filter-dkimsign"
filter "dkimsign" proc-exec "filter-dkimsign"
table aliases ldap:/etc/mail/ldap.conf
"""


@pytest.mark.parametrize(
    ("fault", "remedy"),
    [
        ("no filter exist with that name: dkimsing", "did you mean dkimsign?"),
        ("no filter exist with that name: dkim", "put its definition above this line"),
        ("no filter exist with that name: x", "define x above this line"),
        ("no such table: alias", "did you mean aliases?"),
        ("no such dispatcher: out", "define out above this line"),
        ("syntax error", ""),
        ("invalid port: x", ""),
    ],
)
def test_complaints_with_a_remedy(tmp_path: Path, fault: str, remedy: str) -> None:
    configuration = read(str(smtpd_conf(tmp_path, DEFINED)))
    complaint = finding.error("conf-syntax", (CONF, 1), fault)
    (found,) = syntax.explained([complaint], configuration)
    assert (found.fault, found.remedy) == (fault, remedy)


def test_the_missing_program_of_a_table_is_told_by_its_checker(tmp_path: Path) -> None:
    configuration = read(str(smtpd_conf(tmp_path, DEFINED)))
    ldap = finding.error("conf-refused", (CONF, 0), 'table_create: backend "ldap" does not exist')
    other = ldap._replace(fault='table_create: backend "x" does not exist')
    assert list(syntax.explained([ldap, other], configuration)) == [other]
