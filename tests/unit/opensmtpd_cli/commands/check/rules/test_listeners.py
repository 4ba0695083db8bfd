"""Listeners for mail programs, and those with very many sockets."""

from ipaddress import ip_address
from pathlib import Path

import pytest

from opensmtpd_cli.commands.check.rules import listeners
from opensmtpd_cli.system.network import interfaces
from unit.support.checked import found_by, server
from unit.support.swap import guide

HEAD = 'pki p cert "/c" key "/k"\nca c cert "/ca"\n'


def said(folder: Path, line: str) -> list[str]:
    return [each.code for each in found_by(listeners.submission, folder, f"{HEAD}{line}\n")]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("listen on egress port 465 tls pki p auth", "listener-465-without-smtps"),
        ("listen on egress port smtps tls-require pki p auth", "listener-465-without-smtps"),
        ("listen on egress port 465", "listener-465-without-smtps"),
        ("listen on egress port 587", "listener-587-without-tls"),
        ("listen on egress port submission", "listener-587-without-tls"),
        ("listen on egress port 587 smtps pki p auth", "listener-587-with-smtps"),
        ("listen on egress port 587 tls-require pki p", "listener-without-auth"),
        ("listen on egress port 587 tls pki p", "listener-without-auth"),
        ("listen on egress smtps pki p", "listener-without-auth"),
        ("listen on egress port 465 smtps pki p", "listener-without-auth"),
        ("listen on egress port 25 auth", "listener-auth-without-tls"),
        ("listen on egress port 587 auth", "listener-auth-without-tls"),
    ],
)
def test_faults(tmp_path: Path, line: str, code: str) -> None:
    assert said(tmp_path, line) == [code]


@pytest.mark.parametrize(
    "line",
    [
        "listen on egress",
        "listen on egress tls pki p",
        "listen on egress port 2525",
        "listen on egress tls pki p auth-optional",
        "listen on egress smtps pki p auth",
        "listen on egress port 465 smtps pki p auth",
        "listen on egress port 587 tls pki p auth",
        "listen on egress port 587 tls-require pki p auth-optional",
        "listen on egress smtps verify pki p ca c",
        "listen on egress port 587 tls-require verify pki p ca c",
        "listen on lo0 port 587",
        "listen on 127.0.0.1 port 465",
        "listen on socket",
        "listen on egress port 587 something-new",
    ],
)
def test_no_faults(tmp_path: Path, line: str) -> None:
    assert said(tmp_path, line) == []


def test_remedies_are_lines_for_smtpd_conf(tmp_path: Path) -> None:
    [finding] = found_by(listeners.submission, tmp_path, f"{HEAD}listen on vio0 port 587\n")
    assert finding.remedy == "listen on vio0 port 587 tls-require pki NAME auth"
    assert finding.severity == "warning"


def test_an_interface_with_hundreds_of_addresses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = {"egress": 200, "vio0": 199}
    monkeypatch.setattr(
        interfaces, "addresses", lambda where, _: [ip_address("::1")] * counts.get(where, 0)
    )
    text = "listen on socket\nlisten on egress\nlisten on vio0\nlisten on 192.0.2.1\n"
    [finding] = found_by(listeners.crowded, tmp_path, text)
    assert (finding.code, finding.line) == ("listener-many-addresses", 2)
    assert finding.fault == "egress has 200 addresses, and smtpd opens a socket for each"


def test_the_guide_is_well(tmp_path: Path) -> None:
    here = server(guide(tmp_path))
    assert [*listeners.submission(here), *listeners.crowded(here)] == []
