"""Programs, their paths and their arguments."""

from pathlib import Path

import pytest

from opensmtpd_cli.commands.check.programs import program_line
from opensmtpd_cli.smtpdconf.parser import read
from opensmtpd_cli.system import libexec
from unit.support.swap import smtpd_conf

CONF = """\
table a file:/etc/mail/a
table b sqlite:/etc/mail/b.conf
table c { x }
table d "/etc/mail/d"
table e db:/etc/mail/e.db
table f socketmap:/run/f
proc "p" "filter-p" user _p
filter "x" proc-exec "filter-x -a"
filter "y" proc "p"
filter "z" phase connect match !rdns junk
filter "chain" chain { "x", "y" }
"""


def test_the_processes_that_smtpd_starts(tmp_path: Path) -> None:
    conf = read(str(smtpd_conf(tmp_path, CONF)))
    found = program_line.filters(conf)
    assert [(each.place[1], each.title, each.entry.command) for each in found] == [
        (7, 'proc "p"', "filter-p"),
        (8, 'filter "x"', "filter-x -a"),
    ]
    assert [(each.place[1], each.title, each.line) for each in program_line.tables(conf)] == [
        (2, "table b", ("b", "sqlite", "/etc/mail/b.conf")),
        (6, "table f", ("f", "socketmap", "/run/f")),
    ]


def test_a_program_is_looked_for_where_smtpd_looks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(libexec, "LIBEXEC", ("/libexec",))
    (tmp_path / "libexec").mkdir()
    (tmp_path / "libexec/filter-x").touch()
    root = str(tmp_path)
    assert program_line.place("filter-x", root) == "/libexec/filter-x"
    assert program_line.place("/libexec/filter-x", root) == "/libexec/filter-x"
    assert program_line.place("filter-x", "") is None
    assert program_line.place("sh", "") is None
    assert program_line.place("/bin/sh", "") == "/bin/sh"


def test_paths_among_arguments() -> None:
    words = ["-d", "example.com", "-k", "/a", "-k/b", "--key=/c d", "--key=e", "x=/f", "-", "/g"]
    assert list(program_line.arguments(words)) == ["/a", "/b", "/c d", "/g"]


def test_paths_behind_options() -> None:
    line = [
        "x",
        "-f",
        "/a",
        "-f/b",
        "--key-table=/c",
        "--key-table",
        "/d",
        "-f",
        "e",
        "-k",
        "/g",
        "-f",
    ]
    assert list(program_line.values(line, ("-f", "--key-table"))) == ["/a", "/b", "/c", "/d"]
