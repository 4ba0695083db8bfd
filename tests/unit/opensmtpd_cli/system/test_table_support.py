"""Tables and an smtpd that is too old for them: each command says so, and does nothing."""

import os
from pathlib import Path

import pytest

from opensmtpd_cli.commands.install import command as install
from opensmtpd_cli.commands.install import reach
from opensmtpd_cli.system import smtpd_binary, table_support
from unit.support.account_commands import make
from unit.support.swap import Program, guide, listing

FAULT = (
    "smtpd 6.8 speaks another protocol with tables:"
    " it would wait for them for ever, with all mail;"
    " install smtpd 7.6 or later for tables; filters work with this one"
)


@pytest.fixture(autouse=True)
def old_smtpd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have an smtpd 6.8 on this machine."""
    smtpd = tmp_path / "sbin" / "smtpd"
    smtpd.parent.mkdir()
    smtpd.write_bytes(b"\0version: OpenSMTPD 6.8.0p2\0")
    monkeypatch.setattr(smtpd_binary, "paths", lambda: [str(smtpd)])


@pytest.mark.parametrize(
    ("version", "able"),
    [((6, 8, 0), False), ((7, 5, 0), False), ((7, 6, 0), True), ((7, 6), True), ((10, 0), True)],
)
def test_versions(version: tuple[int, ...], able: bool) -> None:
    assert (table_support.lacking(version) == "") is able


def test_import_writes_nothing(run: Program, mail: Path, db: Path) -> None:
    said = run("import", guide(mail), db)
    assert said == (1, "", f"opensmtpd-plugins: {FAULT}\n")
    assert listing(db.parent) == {}


@pytest.mark.parametrize("flags", [[], ["--check"]])
def test_a_table_is_not_asked(run: Program, flags: list[str]) -> None:
    said = run("lookup", *flags, "sqlite:/etc/mail/users.conf", "domain", "example.org")
    assert (said.status, said.out) == (3, "")
    assert FAULT in said.err


def test_as_another_version_a_table_is_asked(run: Program, libexec: Path) -> None:
    said = run("lookup", "--check", "--smtpd-version", "7.6", "nosuch:/x", "domain", "example.org")
    assert "there is no program table-nosuch" in said.err


def test_files_that_smtpd_reads_itself_are_asked(run: Program, libexec: Path) -> None:
    (libexec / "table-flat").write_text("#!/bin/sh\n")
    said = run("lookup", "-v", "--check", "/etc/mail/domains", "domain", "example.org")
    assert "smtpd reads file: tables itself" in said.out


@pytest.mark.usefixtures("quick_hash")
def test_no_table_is_made(run: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("opensmtpd_cli.terminal.password", lambda prompt, twice: "one")
    database = make(tmp_path / "mail.db")
    assert run("user", "add", database, "alice") == (1, "", f"opensmtpd-plugins: {FAULT}\n")
    assert not (tmp_path / "credentials.conf").exists()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory where smtpd looks for its plugins, and an installation of two."""
    folder = tmp_path / "libexec"
    folder.mkdir()
    every = {name: f"/opt/bin/{name}" for name in ("filter-rdns", "table-sqlite")}
    monkeypatch.setattr(install, "installed", lambda: every)
    monkeypatch.setattr(install, "owner", {}.get)
    monkeypatch.setattr(reach, "closed", lambda files: None)
    return folder


def test_install_links_filters_only(run: Program, place: Path) -> None:
    said = run("install", "--directory", place)
    assert said.status == 0
    assert said.err.splitlines()[:2] == [
        f"left out: table-sqlite: {FAULT}",
        f"linked {place}/filter-rdns to /opt/bin/filter-rdns",
    ]
    assert os.listdir(place) == ["filter-rdns"]


def test_install_refuses_a_table_that_is_named(run: Program, place: Path) -> None:
    said = run("install", "--directory", place, "table-sqlite")
    assert said == (1, "", f"opensmtpd-plugins: {FAULT}\n")
    assert os.listdir(place) == []
