"""The keys of attempts: the same for a client that comes again, from elsewhere or renumbered."""

import pytest

from opensmtpd.mail.greylist import keys


def test_the_key_of_a_domain() -> None:
    assert keys.sender_domain("example.org") == "spf:example.org"


@pytest.mark.parametrize(
    ("address", "key"),
    [
        (b"bob@example.org", "bob@example.org"),
        (b"Bob@EXAMPLE.Org", "bob@example.org"),
        (b"", ""),
        (b"bob", "bob"),
        (b"bob-17", "bob-17"),  # postgrey leaves what has no domain as it is
        (b"bob@", "bob@"),
        (b"@example.org", "@example.org"),
        # Extensions.
        (b"bob+lists@example.org", "bob@example.org"),
        (b"bob+@example.org", "bob@example.org"),
        (b"bob+1+2@example.org", "bob@example.org"),
        (b"+bob@example.org", "@example.org"),
        # Numbers.
        (b"from-12-x@example.org", "from-#-x@example.org"),
        (b"12@example.org", "#@example.org"),
        (b"1.22.333@example.org", "#.#.#@example.org"),
        (b"bounce=1=2@example.org", "bounce=#=#@example.org"),
        (b"bob12@example.org", "bob12@example.org"),
        (b"12bob@example.org", "12bob@example.org"),
        (b"b_12@example.org", "b_12@example.org"),
        (b"bob@12.example.org", "bob@12.example.org"),
        ("\u00e912@example.org".encode(), "\u00e9#@example.org"),  # it is no letter to postgrey
        (b"v-\xd9\xa1@example.org", "v-\u0661@example.org"),  # a digit of Arabic
        # BATV, also in the order in which some write it.
        (b"prvs=1234567890=bob@example.org", "bob@example.org"),
        (b"prvs=123456789a=bob+x@example.org", "bob@example.org"),
        (b"PRVS=123456789A=Bob@example.org", "bob@example.org"),
        (b"prvs=bob=123456789a@example.org", "bob@example.org"),
        (b"prvs=123456789a=bobsyouruncle@example.org", "bobsyouruncle@example.org"),
        (b"prvs=short=bob@example.org", "bob@example.org"),
        (b"prvs=bob@example.org", "prvs=bob@example.org"),
        (b"prvs=1234567890=a=b@example.org", "prvs=#=a=b@example.org"),
        (b"prvs=@example.org", "prvs=@example.org"),
        # Anything else.
        (b"a@b@example.org", "a@b@example.org"),
        (b"\xff-1@example.org", "\\xff-#@example.org"),
        ("j\u00f6rg@example.org".encode(), "j\u00f6rg@example.org"),
    ],
)
def test_the_key_of_a_sender(address: bytes, key: str) -> None:
    assert keys.sender(address) == key
