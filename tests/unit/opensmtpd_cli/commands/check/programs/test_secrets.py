"""Secrets that others can read or write."""

import os
from pathlib import Path

import pytest

from opensmtpd_cli.commands.check.programs import secrets
from opensmtpd_cli.commands.check.programs.secrets import Secret

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")

UID, GID = 54321, 54322
PLACE = ("/etc/smtpd.conf", 3)


@pytest.fixture
def key(place: Path) -> Path:
    (place / "dkim").mkdir(0o755)
    (place / "dkim/key").touch(0o600)
    return place / "dkim/key"


def said(key: Path, *, shared: bool = False) -> list[tuple[str, str]]:
    secret = Secret(PLACE, "the key", str(key), (UID,), (GID,), "Read.", "Write.", shared)
    return [(each.fault, each.remedy) for each in secrets.exposed([secret])]


def test_keys_that_are_for_their_user_alone(key: Path) -> None:
    assert said(key) == []
    os.chown(key, UID, GID)
    key.chmod(0o660)
    key.parent.chmod(0o770)
    os.chown(key.parent, UID, GID)
    assert said(key) == []
    assert said(key.parent / "none") == []


def test_a_key_that_everybody_can_read(key: Path) -> None:
    key.chmod(0o644)
    assert said(key) == [(f"every user of this machine can read the key {key}", f"chmod o= {key}")]
    key.parent.chmod(0o770)
    assert said(key) == []


def test_a_key_of_a_group_with_members(key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.chown(key, 0, 1)
    key.chmod(0o640)
    monkeypatch.setattr(secrets, "_strange", lambda secret, gid: gid == 1)
    ((fault, remedy),) = said(key)
    assert fault.endswith(f" can read the key {key}")
    assert (fault[:10], remedy) == ("the group ", f"chmod g= {key}")


def test_a_group_without_members_is_nobody() -> None:
    secret = Secret(PLACE, "", "", (UID,), (GID,), "", "")
    assert not secrets._strange(secret, 54323)
    assert not secrets._strange(secret, GID)
    assert not secrets._strange(secret, 0)


def test_a_key_that_everybody_can_write(key: Path) -> None:
    key.chmod(0o602)
    assert said(key) == [
        (f"every user of this machine can write to the key {key}", f"chmod go-w {key}")
    ]


@pytest.mark.parametrize(("mode", "found"), [(0o777, 1), (0o1777, 0), (0o755, 0)])
def test_a_folder_that_everybody_can_write(key: Path, mode: int, found: int) -> None:
    key.parent.chmod(mode)
    folder = key.parent
    fault = f"every user of this machine can put another file into {folder}, in the place of the"
    assert said(key) == [(f"{fault} key {key}", f"chmod go-w {folder}")][:found]


def test_a_key_of_another_user(key: Path) -> None:
    os.chown(key, 54399, 0)
    assert said(key) == [(f"user 54399 can write to the key {key}", f"chown {UID} {key}")]
    assert said(key, shared=True) == []


def test_a_shared_file_is_closed_to_others_only(key: Path) -> None:
    os.chown(key, 54399, 54399)
    key.chmod(0o666)
    assert [each[0][:10] for each in said(key, shared=True)] == ["every user", "every user"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("-----BEGIN PRIVATE KEY-----\n", True),
        ("x\n-----BEGIN RSA PRIVATE KEY-----\n", True),
        ("-----BEGIN PUBLIC KEY-----\n", False),
        ("", False),
    ],
)
def test_private_keys_are_known_by_their_text(place: Path, text: str, found: bool) -> None:
    (place / "file").write_text(text)
    assert secrets.is_private_key(str(place / "file")) is found
    assert not secrets.is_private_key(str(place / "none"))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("host localhost\npassword s3cret\n", True),
        ("conninfo host='db' password='x'\n", True),
        ("conninfo host='db' user='x'\n", False),
        ("conninfo postgresql://x:y@db/mail\n", True),
        ("url redis://db rediss://:y@db/2\n", True),
        ("url redis://x@db/2\n", False),
        ("url redis://db:6379/x@y\n", False),
        ("# password s3cret\n", False),
        ("password\nhost x\n", False),
        ("query_credentials SELECT password FROM t\n", False),
    ],
)
def test_passwords_of_servers(place: Path, text: str, found: bool) -> None:
    (place / "conf").write_text(text)
    assert secrets.has_password(str(place / "conf")) is found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("password_file /etc/mail/secret\n", ["/etc/mail/secret"]),
        ("host db\n\tdefaults_file: /etc/mail/my.cnf \n", ["/etc/mail/my.cnf"]),
        ("conninfo host=db passfile=/etc/mail/pg.pass user=x\n", ["/etc/mail/pg.pass"]),
        ("conninfo host=db passfile = '/etc/mail/pg.pass'\n", ["/etc/mail/pg.pass"]),
        ("# password_file /etc/mail/secret\npassword_file\n", []),
        ("password_file secret\n", []),
    ],
)
def test_files_with_passwords_of_servers(place: Path, text: str, found: list[str]) -> None:
    (place / "conf").write_text(text)
    assert secrets.password_files(str(place / "conf")) == found
