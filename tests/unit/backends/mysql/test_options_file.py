from pathlib import Path

import pytest

from opensmtpd.backends.mysql.options_file import FILE_MAX, read, value
from opensmtpd.errors import ConfigError


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "my.cnf"
    path.write_text(
        "# of the site\n"
        "[mysqld]\n"
        "user = mysql\n"
        "port=1\n"
        "!include /etc/other.cnf\n"
        "[client]\n"
        "user=smtpd\n"
        'password = "se#c\\"ret" # of ours\n'
        "host =db.example.org\n"
        "ssl-ca=/etc/ca.pem\n"
        "default_character_set = latin1\n"
        "skip-ssl\n"
        "loose-thing=1\n"
        "[client-mariadb]\n"
        "Port = 3307\n"
        "Host = db2.example.org\n"
        "[mysql]\n"
        "database=other\n"
    )
    assert read(str(path)) == [
        ("username", "smtpd", 7),
        ("password", 'se#c"ret', 8),
        ("host", "db2.example.org", 16),
        ("ssl_ca", "/etc/ca.pem", 10),
        ("charset", "latin1", 11),
        ("port", "3307", 15),
    ]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("plain", "plain"),
        ("a b", "a b"),
        ("a#b", "a"),
        ("a #b", "a"),
        ("#b", ""),
        ("", ""),
        ("'a #b'", "a #b"),
        ("'a' and", "'a' and"),
        ("'a'#'b'", "a"),
        (r"'a\'#b' # c", "a'#b"),
        ('"a"b"', 'a"b'),
        ('"', '"'),
        ("'open", "'open"),
        ('"it\'s"', "it's"),
        (r"'it\'s'", "it's"),
        (r"a\sb\\c\nd", "a b\\c\nd"),
        (r"\q", r"\q"),
    ],
)
def test_values(text: str, meant: str) -> None:
    assert value(text) == meant


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"my\.cnf"):
        read(str(tmp_path / "my.cnf"))


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    path = tmp_path / "my.cnf"
    path.write_bytes(b"x" * (FILE_MAX + 1))
    with pytest.raises(ConfigError, match="more than"):
        read(str(path))
