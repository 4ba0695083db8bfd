"""The hand-over to sendmail, with programs that stand in for it."""

from pathlib import Path

import pytest

from opensmtpd.errors import ConfigError
from opensmtpd_cli.commands.dmarc import sending


def program(folder: Path, text: str) -> str:
    path = folder / "sendmail"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_the_mail_is_handed_over(tmp_path: Path) -> None:
    path = program(tmp_path, f'printf "%s|" "$@" > {tmp_path}/argv; cat > {tmp_path}/mail')
    assert sending.send(path, "me@a.example", "you@b.example", b"Subject: x\n\n.\nend\n") == ""
    assert (tmp_path / "argv").read_text() == "-i|-f|me@a.example|--|you@b.example|"
    assert (tmp_path / "mail").read_bytes() == b"Subject: x\n\n.\nend\n"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("cat > /dev/null; echo one >&2; printf 'two \\033[31m' >&2; exit 75", r"two \x1b[31m"),
        ("exit 3", "/sendmail ended with 3"),
        ("kill -9 $$", "/sendmail ended with -9"),
    ],
)
def test_what_went_wrong(tmp_path: Path, text: str, fault: str) -> None:
    path = program(tmp_path, text)
    assert sending.send(path, "a@a.example", "b@b.example", b"x" * 200_000).endswith(fault)


def test_a_program_that_is_missing_or_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = str(tmp_path / "missing")
    assert sending.send(missing, "a@a.example", "b@b.example", b"") == (
        f"{missing}: No such file or directory"
    )
    monkeypatch.setattr(sending, "PATIENCE", 0.2)
    path = program(tmp_path, "exec sleep 1000")
    fault = sending.send(path, "a@a.example", "b@b.example", b"")
    assert fault == f"{path} takes more than 0 seconds"


def test_the_sendmail_of_this_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = program(tmp_path, "")
    monkeypatch.setattr(sending, "PLACES", (str(tmp_path / "missing"), path))
    assert sending.sendmail() == path
    monkeypatch.setattr(sending, "PLACES", (str(tmp_path / "missing"),))
    with pytest.raises(ConfigError, match="there is no sendmail here; name one with --sendmail"):
        sending.sendmail()
