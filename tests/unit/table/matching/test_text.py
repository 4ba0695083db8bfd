"""Texts as smtpd compares them: a character for each byte, and only A to Z change their case."""

import pytest

from opensmtpd.table.matching.text import as_bytes, as_text, folded


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("Mail.Example.ORG", "mail.example.org"),
        ("É", "\xc3\x89"),  # in the C locale no letter
        ("\udcff@A", "\xff@a"),
        ("\u212a", "\xe2\x84\xaa"),  # the Kelvin sign, which is no k
        ("\x00\x7f", "\x00\x7f"),
    ],
)
def test_folded(text: str, expected: str) -> None:
    assert folded(text) == expected


def test_bytes_keep_their_case() -> None:
    assert as_bytes("AÉ\udcff") == "A\xc3\x89\xff"


def test_ascii_is_not_copied() -> None:
    text = "".join(["exam", "ple"])
    assert as_bytes(text) is text
    assert as_text(text) is text


@pytest.mark.parametrize("text", ["", "a.b", "é", "\udcff", "ü\udc80x", "\U0001f4e7"])
def test_there_and_back(text: str) -> None:
    assert as_text(as_bytes(text)) == text


@pytest.mark.parametrize("text", ["\ud800", "\udfff\udc80", "é\ud800\udcff"])
def test_what_is_no_text_of_bytes_does_no_harm(text: str) -> None:
    assert as_bytes(text) == folded(text)
    assert isinstance(as_text(as_bytes(text)), str)
