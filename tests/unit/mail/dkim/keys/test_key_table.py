"""What a line of a key table says; what is wrong with one stands in ``test_keyring``."""

import pytest

from opensmtpd.mail.dkim.keys.key_table import KeyTableEntry, beside, entries, lines


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_and_their_numbers(end: str) -> None:
    text = end.join(["# keys", "", "\ta.example  s k\t", " b.example s /k ed25519-sha256 ", ""])
    assert list(lines(text)) == [(3, "a.example  s k"), (4, "b.example s /k ed25519-sha256")]
    assert list(entries(text, "/etc/table")) == [
        KeyTableEntry(3, "a.example", "s", "/etc/k", None),
        KeyTableEntry(4, "b.example", "s", "/k", "ed25519-sha256"),
    ]


def test_names_are_the_same_in_any_case() -> None:
    assert KeyTableEntry(1, "A.example", "S", "k", None).name == ("a.example", "s")


@pytest.mark.parametrize(
    ("table", "file", "expected"),
    [
        ("/etc/mail/table", "k", "/etc/mail/k"),
        ("/etc/mail/table", "dkim/k", "/etc/mail/dkim/k"),
        ("/etc/mail/table", "/k", "/k"),
        ("/table", "k", "/k"),
        ("table", "k", "k"),
    ],
)
def test_a_relative_file_is_looked_for_beside_the_table(
    table: str, file: str, expected: str
) -> None:
    assert beside(table, file) == expected
