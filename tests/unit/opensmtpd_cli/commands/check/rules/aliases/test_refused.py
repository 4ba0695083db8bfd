"""Findings about aliases, and about the mail of root."""

import pwd
from pathlib import Path

import pytest

from opensmtpd_cli.commands.check.finding import Finding
from opensmtpd_cli.commands.check.rules.aliases import refused
from unit.support.checked import found_by

RULES = 'match for local action "in"\nmatch from any for domain example.com action "in"\n'


def found(folder: Path, rows: str, action: str = "maildir alias <aliases>") -> list[Finding]:
    (folder / "aliases").write_text(rows)
    table = f"table aliases file:{folder}/aliases\n"
    return found_by(refused.refused, folder, f'{table}action "in" {action}\n{RULES}')


def test_where_an_alias_ends(tmp_path: Path) -> None:
    rows = "# comment\nstaff: root, nosuchuser0\npostmaster: root\na: b\nb: a\n"
    said = [(each.path, each.line, each.code, each.fault) for each in found(tmp_path, rows)]
    path = str(tmp_path / "aliases")
    reason = "it leads back to itself, and to nobody else"
    assert said == [
        (path, 2, "alias-target-missing", "the alias staff: there is no user nosuchuser0"),
        (path, 4, "alias-loop", f"the alias a: {reason}"),
        (path, 5, "alias-loop", f"the alias b: {reason}"),
    ]


def test_files_and_programs_that_are_not_there(tmp_path: Path) -> None:
    rows = (
        "a: root, :include:/nowhere/list\nb: |/nowhere/program -x\nc: |/bin/sh -c true\n"
        'd: "|PATH=/x program"\ne: |/nowhere/$X\n'
    )
    said = [(each.line, each.severity, each.code) for each in found(tmp_path, rows)]
    assert said == [(1, "warning", "alias-include-missing"), (2, "error", "alias-program-missing")]


def test_of_two_rows_the_last_counts(tmp_path: Path) -> None:
    assert found(tmp_path, "al: nosuchuser0\nal: root\n") == []


def test_a_table_of_programs_is_not_looked_at(tmp_path: Path) -> None:
    text = f'table far sqlite:/etc/far.conf\naction "in" maildir alias <far>\n{RULES}'
    assert found_by(refused.refused, tmp_path, text) == []


@pytest.fixture
def roots_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Root's home folder."""
    home = tmp_path / "home"
    home.mkdir()
    entry = pwd.struct_passwd(("root", "x", 0, 0, "", str(home), "/bin/sh"))
    monkeypatch.setattr(pwd, "getpwnam", lambda _: entry)
    return home


ROOT = 'table aliases { "root" = "al" }\n'


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ("maildir", ["root-mail-refused"]),
        ("lmtp /run/lmtp", ["root-mail-refused"]),
        ('maildir alias { "al" = "root" }', ["root-mail-refused"]),
        ('maildir alias { "root" = "root" }', ["root-mail-refused"]),
        ("mbox", []),
        ("maildir user vmail", []),
        ("maildir alias <aliases>", []),
        ("maildir virtual { '@' = vmail }", []),
        ("maildir alias <far>", []),
        ("relay", []),
    ],
)
@pytest.mark.usefixtures("roots_home")
def test_mail_for_root(tmp_path: Path, action: str, expected: list[str]) -> None:
    text = f'{ROOT}table far sqlite:/far\naction "in" {action}\nmatch for local action "in"\n'
    assert [each.code for each in found_by(refused.root, tmp_path, text)] == expected


def test_mail_for_root_that_is_forwarded(tmp_path: Path, roots_home: Path) -> None:
    (roots_home / ".forward").write_text("al\n")
    text = 'action "in" maildir\nmatch for local action "in"\n'
    assert found_by(refused.root, tmp_path, text) == []
