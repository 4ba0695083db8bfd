"""The note that a user is stopped: filter and command find it under the same key."""

import pytest

from opensmtpd.mail.limit import stopped


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (b"alice", "alice"),
        (b"Alice@Example.ORG", "alice@example.org"),
        ("Ärger".encode(), "arger"),
        ("a\u0308rger".encode(), "arger"),
        ("\u00e0lice".encode(), "alice"),
        ("\uff21lice".encode(), "alice"),  # a wide letter
        ("Stra\u00dfe".encode(), "strasse"),
        ("ali\u00adce\u200b".encode(), "alice"),
        (b"ali\x01ce \x7f", "alice"),
        ("\u0916\u0941 \ud55c\uae00".encode(), "\u0916\u0941 \ud55c\uae00"),
        (b" alice ", "alice"),
        (b"alice\t\n", "alice"),
        ("alice\u00a0".encode(), "alice"),
        (b"Alice  Smith", "alice smith"),
        (b"b\xfccher", "b\\xfccher"),
        (b"b\\xfccher", "b\\xfccher"),  # as the log shows it
    ],
)
def test_the_name_of_a_user(raw: bytes, name: str) -> None:
    assert stopped.user_name(raw) == name


def test_what_is_in_the_state() -> None:
    """Notes of before an upgrade are to be found after it."""
    assert stopped.stop_key("alice") == ["stop", "alice"]
    assert stopped.PREFIX == "limit:"
