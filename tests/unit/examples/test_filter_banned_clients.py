"""examples/filter_banned_clients.py: the file decides, and is read again when it has changed."""

import os
from pathlib import Path

import pytest

from filter_banned_clients import BannedClients
from opensmtpd.errors import ConfigError
from opensmtpd.testing import run_message

BANNED, OTHER = b"192.0.2.9:40721", b"192.0.2.5:40721"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "banned"
    file.write_text("192.0.2.9\n\n# no address\n2001:DB8:0::9 \n")
    return file


@pytest.fixture
def filter(path: Path) -> BannedClients:
    return BannedClients(path)


def write(path: Path, text: str) -> None:
    """Write the file anew, at another time than before."""
    before = path.stat().st_mtime_ns
    path.write_text(text)
    os.utime(path, ns=(before + 1, before + 1))


def accepted(filter: BannedClients, source: bytes) -> bool:
    outcome = run_message(filter, source=source)
    assert outcome.accepted or outcome.reply == b"554 5.7.1 Banned"
    return outcome.accepted


def test_addresses_of_the_file_are_turned_away_in_any_form(filter: BannedClients) -> None:
    sources = (BANNED, b"[2001:db8::9]:40721", b"[::ffff:192.0.2.9]:40721")
    assert [accepted(filter, source) for source in sources] == [False] * 3


def test_others_are_not_and_local_clients_are_not(filter: BannedClients) -> None:
    sources = (OTHER, b"[2001:db8::5]:40721", b"unix:/var/run/smtpd.sock")
    assert [accepted(filter, source) for source in sources] == [True] * 3


def test_it_looks_every_five_seconds() -> None:
    assert vars(BannedClients.read)["every_seconds"] == 5


def test_a_changed_file_is_read_again(filter: BannedClients, path: Path) -> None:
    write(path, "192.0.2.5\n")
    filter.read()
    assert accepted(filter, BANNED)
    assert not accepted(filter, OTHER)


def test_a_file_that_did_not_change_is_not(filter: BannedClients, path: Path) -> None:
    before = filter.banned
    filter.read()
    assert filter.banned is before


def test_without_the_file_the_last_list_stays_in_use(filter: BannedClients, path: Path) -> None:
    path.unlink()
    with pytest.raises(ConfigError, match=r"banned: No such file or directory"):
        filter.read()
    assert not accepted(filter, BANNED)


def test_without_the_file_it_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        BannedClients(tmp_path / "missing")
