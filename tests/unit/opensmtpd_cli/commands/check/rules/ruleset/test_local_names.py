"""The machine's own names."""

import socket
from pathlib import Path

import pytest

from opensmtpd_cli.commands.check.rules.ruleset import local_names
from opensmtpd_cli.commands.check.rules.ruleset.local_names import is_local
from opensmtpd_cli.errors import Unsure


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine that calls itself Example.com."""
    mailname = tmp_path / "mailname"
    monkeypatch.setattr(local_names, "_FILES", (str(mailname), "/nowhere/mailname"))
    monkeypatch.setattr(socket, "gethostname", lambda: "Example.com")
    return mailname


def test_the_name_of_the_host() -> None:
    assert is_local("example.com")
    assert is_local("localhost")
    assert not is_local("mail.example.com")


def test_names_that_differ(machine: Path) -> None:
    machine.write_text("mail.example.com\n")
    assert not is_local("example.org")
    for doubtful in ("example.com", "mail.example.com"):
        with pytest.raises(Unsure):
            is_local(doubtful)


def test_a_host_without_a_domain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "mail")
    assert is_local("mail")
    assert not is_local("example.com")
    with pytest.raises(Unsure):  # the DNS may say so
        is_local("mail.example.com")


def test_a_file_that_says_the_same(machine: Path) -> None:
    machine.write_text("example.com\n")
    assert is_local("example.com")
