"""What smtpd calls itself: by a file, or by the name of the machine."""

import socket
from pathlib import Path

import pytest

from opensmtpd_cli.system import mail_name


@pytest.mark.parametrize("path", ["/etc/mailname", "/etc/mail/mailname"])
def test_the_file_that_smtpd_names(tmp_path: Path, path: str) -> None:
    smtpd = tmp_path / "smtpd"
    smtpd.write_bytes(b"\x7fELF\0/etc/mail/smtpd.conf\0" + path.encode() + b"\0and so on")
    assert mail_name.file_of(str(smtpd)) == path
    assert mail_name.file_of("") == mail_name.file_of("/nowhere") == ""


@pytest.mark.parametrize(
    ("text", "name"),
    [("mail.example.com\n", "mail.example.com"), ("a.example\r\nb\n", "a.example\r"), ("x", "x")],
)
def test_the_first_line_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, name: str
) -> None:
    file = tmp_path / "mailname"
    file.write_bytes(text.encode())
    monkeypatch.setattr(mail_name, "_FILES", (str(tmp_path / "none"), str(file)))
    assert mail_name.own_name("") == (name, str(file))


def test_the_name_of_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty").touch()
    monkeypatch.setattr(mail_name, "_FILES", (str(tmp_path / "none"), str(tmp_path / "empty")))
    monkeypatch.setattr(socket, "gethostname", lambda: "mail.example.com")
    assert mail_name.own_name("") == ("mail.example.com", "")
    monkeypatch.setattr(socket, "gethostname", lambda: "mail")
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda *_, **__: [(0, 0, 0, "mail.example.org", ("192.0.2.1", 0))]
    )
    assert mail_name.own_name("") == ("mail.example.org", "")

    def gone(*_: object, **__: object) -> None:
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", gone)
    assert mail_name.own_name("") == ("mail", "")
