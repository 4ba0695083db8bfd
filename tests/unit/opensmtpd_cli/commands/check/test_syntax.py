"""What ``smtpd -n`` says, as findings. Here a script says it."""

import os
from pathlib import Path

import pytest

from opensmtpd_cli.commands.check import syntax
from opensmtpd_cli.commands.check.finding import Severity

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
