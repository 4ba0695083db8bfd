"""Files that everybody may write to, or read."""

import socket
from pathlib import Path

import pytest

from opensmtpd_cli.commands.check.command import findings
from opensmtpd_cli.commands.check.rules import permissions
from unit.support.checked import found_by, server
from unit.support.swap import smtpd_conf


@pytest.fixture
def mail(tmp_path: Path) -> Path:
    """A folder that everybody may enter, as /etc/mail is: pytest's own are for us alone."""
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    return tmp_path


def test_a_table_that_everybody_may_write_to(mail: Path) -> None:
    table = mail / "domains"
    table.write_text("example.com\n")
    text = f"table domains file:{table}\ntable far sqlite:{mail}/far.conf\n"
    for mode in (0o644, 0o640, 0o664):
        table.chmod(mode)
        assert found_by(permissions.writable, mail, text) == []
    table.chmod(0o646)
    (mail / "far.conf").write_text("")
    (mail / "far.conf").chmod(0o666)
    found = found_by(permissions.writable, mail, text)
    assert [(each.severity, each.path, each.remedy) for each in found] == [
        ("error", str(table), f"chmod o-w {table}"),
        ("error", f"{mail}/far.conf", f"chmod o-w {mail}/far.conf"),
    ]


def test_a_socket_and_dev_null_are_for_everybody(mail: Path) -> None:
    path = mail / "s"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        path.chmod(0o777)
        text = f"table a file:/dev/null\ntable b socketmap:{path}\n"
        assert found_by(permissions.writable, mail, text) == []


def test_folders_that_everybody_may_write_to(mail: Path) -> None:
    folder = mail / "tables"
    folder.mkdir()
    (folder / "a").write_text("a\n")
    (folder / "b").write_text("b\n")
    text = f"table a file:{folder}/a\ntable b file:{folder}/b\n"
    assert found_by(permissions.writable, mail, text) == []
    folder.chmod(0o777)
    [finding] = found_by(permissions.writable, mail, text)
    assert (finding.code, finding.remedy) == ("folder-writable", f"chmod o-w {folder}")


def test_each_table_of_passwords_is_named_once(mail: Path) -> None:
    secrets = mail / "secrets"
    secrets.write_text("bob user:hush1\n")
    secrets.chmod(0o644)
    text = (
        f"table secrets file:{secrets}\n"
        'action "out" relay host "smtp+tls://bob@mx.example" auth <secrets>\n'
    )
    path = smtpd_conf(mail, text)
    [finding] = [each for each in findings(server(path)) if each.code == "secret-readable"]
    assert (finding.severity, finding.line) == ("warning", 1)
    assert finding.fault == (
        f"every user of this machine can read the passwords of table secrets in {secrets}"
    )
    assert finding.remedy == f"chmod o= {secrets}"


@pytest.mark.parametrize("line", ["srs key hush1", "queue encryption hush1"])
def test_keys_in_smtpd_conf(mail: Path, line: str) -> None:
    [finding] = found_by(permissions.readable, mail, f"{line}\n")
    assert "hush1" not in finding.fault + finding.remedy
    assert finding.path == str(mail / "smtpd.conf")


@pytest.mark.parametrize("line", ["listen on lo0", "queue encryption stdin", "queue encryption"])
def test_no_keys_in_smtpd_conf(mail: Path, line: str) -> None:
    assert found_by(permissions.readable, mail, f"{line}\n") == []
