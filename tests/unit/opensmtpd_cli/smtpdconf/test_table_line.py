"""Table lines that an operator gives."""

import pytest

from opensmtpd.errors import ConfigError
from opensmtpd_cli.smtpdconf.table_line import TableLine, parse


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("table users sqlite:/etc/mail/users.conf", ("users", "sqlite", "/etc/mail/users.conf")),
        ("table\tusers 'sqlite:/a b'  # why", ("users", "sqlite", "/a b")),
        ("sqlite:/etc/mail/users.conf", ("users", "sqlite", "/etc/mail/users.conf")),
        ("table t sqlite", ("t", "sqlite", None)),
        ("file:/etc/mail/aliases", ("aliases", "file", "/etc/mail/aliases")),
        ("/etc/mail/aliases", ("aliases", "file", "/etc/mail/aliases")),
        ("table t x:/a:b", ("t", "x", "/a:b")),
    ],
)
def test_a_line(text: str, wanted: TableLine) -> None:
    assert parse(text) == wanted


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("table t sqlite:relative", "smtpd wants a path that begins with /; not 'relative'"),
        ("table t { a, b }", "the rows of this table stand in smtpd.conf"),
        ("table t", "no table line; write it as: table NAME TYPE:/PATH"),
        ("", "no table line"),
        ("table t 'x:/", "no table line: No closing quotation"),
    ],
)
def test_no_line(text: str, reason: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse(text)
    assert str(error.value).startswith(reason)
