"""Who is not judged."""

from pathlib import Path

import pytest

from opensmtpd.mail.client import Client
from opensmtpd.mail.inbound.exemption import Exemption, exemption
from opensmtpd.mail.policy.exemptions import Exemptions
from unit.support.mail_client import HERE, client


@pytest.fixture
def listed(tmp_path: Path) -> Exemptions:
    path = tmp_path / "spared"
    path.write_text("198.51.100.0/24\n*.example.org\n")
    return Exemptions([str(path)])


def test_a_stranger(listed: Exemptions) -> None:
    assert exemption(client("192.0.2.5", "mx.example.net"), None, listed) is None
    assert exemption(client("192.0.2.5", "mx.example.org", "fail"), None, listed) is None


def test_a_user_whatever_the_client(listed: Exemptions) -> None:
    for address in ("192.0.2.5", "127.0.0.1", "198.51.100.7"):
        assert exemption(client(address), b"alice", listed) is Exemption.AUTHENTICATED


def test_programs_of_this_machine(listed: Exemptions) -> None:
    local = [
        Client(None, None, None, "pass"),
        client("127.0.0.1"),
        client("::1"),
        client(str(HERE)),
    ]
    assert {exemption(each, None, listed) for each in local} == {Exemption.LOCAL}


def test_listed_networks_and_names(listed: Exemptions) -> None:
    assert exemption(client("198.51.100.7"), None, listed) is Exemption.LISTED
    assert exemption(client("192.0.2.5", "mx.example.org"), None, listed) is Exemption.LISTED
