"""The certificates of pki: files, dates, names and keys."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from opensmtpd_cli.commands.check.names.certificates import certificates, pki_files
from opensmtpd_cli.system import mail_name
from unit.support.certificates import KEY, OTHER, certificate, key_pem
from unit.support.check_names import Situation

NOW = datetime.now(UTC)


@pytest.fixture
def good(tmp_path: Path) -> Situation:
    (tmp_path / "crt").write_bytes(certificate("mail.example.com"))
    (tmp_path / "key").write_bytes(key_pem(KEY))
    (tmp_path / "key").chmod(0o600)
    text = f"""\
pki mail.example.com cert "{tmp_path}/crt"
pki mail.example.com key "{tmp_path}/key"
listen on 0.0.0.0 tls pki mail.example.com
"""
    return Situation(tmp_path / "smtpd.conf", text)


def found(situation: Situation) -> list[str]:
    return situation.said(pki_files, certificates)


def test_good_ones(good: Situation, tmp_path: Path) -> None:
    assert found(good) == []
    for names in (["*.example.com"], ["a.example", "Mail.Example.com"], []):
        (tmp_path / "crt").write_bytes(certificate(*names))
        assert found(good) == []
    (tmp_path / "key").chmod(0o740)
    (tmp_path / "crt").chmod(0o755)
    assert found(good) == []


@pytest.mark.parametrize(
    ("listener", "names"),
    [
        ("", ["example.org"]),
        (" hostname mail.example.net", ["mail.example.net"]),
        (" hostname mail.example.net", ["mail.example.com"]),
        ("", ["smtp.example.com"]),
        ("", ["example.com"]),
        (" hostnames { 192.0.2.1 = x.example }", ["a.example"]),
    ],
)
def test_a_certificate_is_for_the_listener_or_the_pki_or_the_machine(
    good: Situation,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    listener: str,
    names: list[str],
) -> None:
    monkeypatch.setattr(mail_name, "own_name", lambda _: ("example.org", ""))
    (tmp_path / "crt").write_bytes(certificate(*names))
    assert found(good._replace(text=good.text.rstrip() + listener + "\n")) == []


def test_another_name(good: Situation, tmp_path: Path) -> None:
    (tmp_path / "crt").write_bytes(certificate("a.example", "b.example", "c.example", "d.example"))
    assert found(good) == [
        f"1 warning pki-names: {tmp_path}/crt is for a.example, b.example, c.example and others,"
        " and not for mail.example.com -> have a certificate made for mail.example.com"
    ]
    assert found(good._replace(text=good.text.replace("listen", "#"))) == []
    assert found(good._replace(text=good.text.replace("mail.example.com", "label"))) == []


@pytest.mark.parametrize(
    ("begins", "ends", "code"),
    [
        (-90, -1, "pki-expired"),
        (1, 90, "pki-early"),
        (-88, 2, "pki-expires"),
        (-4, 2, ""),
        (-80, 10, ""),
    ],
)
def test_dates(good: Situation, tmp_path: Path, begins: int, ends: int, code: str) -> None:
    period = NOW + timedelta(days=begins), NOW + timedelta(days=ends)
    (tmp_path / "crt").write_bytes(certificate("mail.example.com", period=period))
    assert [each.split(":")[0] for each in found(good)] == [f"1 warning {code}"] * bool(code)


def test_files_that_smtpd_does_not_take(good: Situation, tmp_path: Path) -> None:
    def after(name: str, mode: int) -> list[str]:
        (tmp_path / name).chmod(mode)
        said = found(good)
        (tmp_path / name).chmod(0o600)
        return said

    assert after("key", 0o644) == [
        f"2 error pki-mode: {tmp_path}/key has the mode 0644, more than 0740"
        f" -> chmod g-wx,o= {tmp_path}/key"
    ]
    assert after("crt", 0o664) == [
        f"1 error pki-mode: {tmp_path}/crt has the mode 0664, more than 0755"
        f" -> chmod go-w {tmp_path}/crt"
    ]
    (tmp_path / "key").unlink()
    assert found(good) == [
        f"2 error pki-missing: {tmp_path}/key: No such file or directory"
        " -> correct the path, or put the file there"
    ]
    (tmp_path / "key").mkdir()
    assert found(good) == [f"2 error pki-missing: {tmp_path}/key is no file -> name a file"]


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a file away")
def test_the_owner_of_a_file(good: Situation, tmp_path: Path) -> None:
    os.chown(tmp_path / "crt", 65534, 65534)
    assert found(good) == [
        f"1 error pki-owner: {tmp_path}/crt does not belong to root -> chown root {tmp_path}/crt"
    ]


def test_keys_that_do_not_fit(good: Situation, tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(key_pem(OTHER))
    assert found(good) == [f"2 error pki-key: {tmp_path}/key is not the key of {tmp_path}/crt"]
    (tmp_path / "key").write_bytes(key_pem(OTHER, b"secret"))
    assert found(good) == []
    (tmp_path / "key").write_bytes(b"hello\n")
    assert found(good) == [f"2 error pki-broken: {tmp_path}/key: no private key in PEM"]
    (tmp_path / "crt").write_bytes(b"hello\n")
    assert found(good) == [f"1 error pki-broken: {tmp_path}/crt: no certificate in PEM"]
    (tmp_path / "crt").write_bytes(
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    )
    assert found(good) == [
        f"1 unseen pki-unseen: the certificate in {tmp_path}/crt is not understood"
    ]


def test_a_ca_is_a_file_too(good: Situation, tmp_path: Path) -> None:
    text = good.text + f'ca "own" cert "{tmp_path}/gone"\n'
    assert [each.split(":")[0] for each in found(good._replace(text=text))] == [
        "4 error pki-missing"
    ]
