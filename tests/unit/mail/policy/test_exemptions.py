"""Whom files spare."""

from pathlib import Path

import pytest

from opensmtpd.errors import ConfigError
from opensmtpd.mail.policy.exemptions import Exemptions
from unit.support.mail_client import client

ROWS = """\
2001:db8:1::/48
# ours
::ffff:203.0.113.77
[IPv6:::FFFF:203.0.113.128]
::ffff:203.0.113.192/122
198.51.100.0/24	# documentation
203.0.113.9# a friend

*.Example.ORG  # all # of them
friend.example
"""


@pytest.mark.parametrize(
    ("address", "name", "verdict", "spared"),
    [
        ("198.51.100.7", None, "fail", True),
        ("203.0.113.9", None, "error", True),
        ("203.0.113.10", None, "fail", False),
        ("203.0.113.77", None, "fail", True),
        ("203.0.113.128", None, "fail", True),
        ("203.0.113.191", None, "fail", False),
        ("203.0.113.192", None, "fail", True),
        ("203.0.113.255", None, "fail", True),
        ("2001:db8:1:2::3", None, "fail", True),
        ("2001:db8:2::3", None, "fail", False),
        ("192.0.2.5", "mx.example.org", "pass", True),
        ("192.0.2.5", "mx.example.org", "fail", False),
        ("192.0.2.5", "mx.example.org", "error", False),
        ("192.0.2.5", "a.mx.example.org", "pass", False),
        ("192.0.2.5", "friend.example", "pass", True),
        ("192.0.2.5", "friend.example.net", "pass", False),
    ],
)
def test_whom_a_file_spares(
    tmp_path: Path, address: str, name: str | None, verdict: str, spared: bool
) -> None:
    file = tmp_path / "spared"
    file.write_text(ROWS)
    assert (client(address, name, verdict) in Exemptions([str(file)])) is spared


def test_several_files(tmp_path: Path) -> None:
    files = [tmp_path / name for name in "ab"]
    for file, row in zip(files, ("192.0.2.0/25", "192.0.2.128/25"), strict=True):
        file.write_text(row)
    spared = Exemptions([str(file) for file in files])
    assert client("192.0.2.5") in spared
    assert client("192.0.2.200") in spared
    assert client("192.0.3.5") not in spared
    assert client("192.0.2.5")._replace(address=None) not in Exemptions([])


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("example.org\n10.0.0.0/33\n", ":2: '10.0.0.0/33' is none of these; write an address"),
        ("a b\n", ":1: 'a b' is none of these"),
        ("example.org: 1\n", ":1: 'example.org: 1' is none of these"),
        ("# @list\nbob@example.org\n", ":2: 'bob@example.org' is none of these"),
    ],
)
def test_a_row_that_means_nothing(tmp_path: Path, text: str, fault: str) -> None:
    file = tmp_path / "spared"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        Exemptions([str(file)])
    assert str(caught.value).startswith(str(file) + fault)


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match="No such file or directory; make the file, or correct the path"
    ):
        Exemptions([str(tmp_path / "none")])
