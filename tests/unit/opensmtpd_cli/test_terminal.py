"""Text on a terminal."""

import io
import sys

import click
import pytest
from click.testing import CliRunner

from opensmtpd_cli import terminal


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("ü", "ü"),
        ("a\x1b[1m\r", "a\\x1b[1m\\r"),
        ("\udcff", "\\xff"),
        (b"\xff\x00", "\\xff\\x00"),
        ("\u202e", "\\u202e"),
    ],
)
def test_shown(text: str | bytes, wanted: str) -> None:
    assert terminal.shown(text) == wanted


def test_an_output_that_knows_few_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    terminal.say("1 µs")
    sys.stdout.flush()
    assert raw.getvalue() == b"1 \\xb5s\n"


@click.command()
def ask() -> None:
    click.echo(ascii(terminal.password("Password")))


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [(b"a b\n", "'a b'"), (b"x", "'x'"), (b"\xff\r\nsecond\n", r"'\udcff'")],
)
def test_a_password_from_a_pipe(typed: bytes, wanted: str) -> None:
    result = CliRunner().invoke(ask, input=typed)
    assert result.output == f"{wanted}\n"


@pytest.mark.parametrize("typed", [b"", b"\n", b"a\0b\n"])
def test_no_password(typed: bytes) -> None:
    assert CliRunner().invoke(ask, input=typed).exit_code == 2
