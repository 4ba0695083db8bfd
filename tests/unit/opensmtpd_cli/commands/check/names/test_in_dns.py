"""All that the DNS is asked about a server, at once."""

from pathlib import Path

from opensmtpd_cli.commands.check import names
from opensmtpd_cli.commands.check.names.in_dns import names_in_the_dns
from unit.support.check_names import Situation

TEXT = """\
table domains file:{folder}/gone
listen on 0.0.0.0
action "in" maildir
action "out" relay
match from any for domain <domains> action "in"
match for any action "out"
"""


def test_nothing_is_asked_where_that_is_not_wanted(tmp_path: Path) -> None:
    text = TEXT.format(folder=tmp_path)
    assert Situation(tmp_path / "smtpd.conf", text, dns=False).said(names_in_the_dns) == []


def test_a_table_that_cannot_be_read_keeps_nothing_else_from_being_looked_at(
    tmp_path: Path,
) -> None:
    records = ("mail.example.com A 192.0.2.1",)
    said = Situation(tmp_path / "smtpd.conf", TEXT.format(folder=tmp_path), records).said(
        names_in_the_dns
    )
    assert [each.split(": ")[0] for each in said] == [
        "4 warning reverse-missing",
        "0 unseen not-looked",
        "0 unseen not-looked",
    ]
    assert f"mail exchangers: {tmp_path}/gone" in said[1]


def test_the_checkers_of_names() -> None:
    assert names_in_the_dns in names.CHECKERS
