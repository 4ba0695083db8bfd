"""The words of an alias."""

import pytest

from opensmtpd_cli.commands.check.rules.aliases.words import WordKind, words


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        ("bob", WordKind.USER, "bob"),
        ("bob+tag", WordKind.USER, "bob+tag"),
        (r"\bob", WordKind.USER, "bob"),
        ("bob@example.com", WordKind.ADDRESS, "bob@example.com"),
        ("a/b!c@example.com", WordKind.ADDRESS, "a/b!c@example.com"),
        ("/var/mail/archive", WordKind.FILE, "/var/mail/archive"),
        ("|/bin/cat -n", WordKind.PROGRAM, "/bin/cat -n"),
        ('"|/bin/cat a,b"', WordKind.PROGRAM, "/bin/cat a,b"),
        (":include:/etc/list", WordKind.INCLUDE, "/etc/list"),
        ("include:/etc/list", WordKind.INCLUDE, "/etc/list"),
        ("error:550 gone", WordKind.ERROR, "error:550 gone"),
        (":error:450 later", WordKind.ERROR, ":error:450 later"),
        ("two words", WordKind.NOTHING, "two words"),
        ("bob@", WordKind.NOTHING, "bob@"),
        ("@example.com", WordKind.NOTHING, "@example.com"),
        ("bob@exa_mple.com", WordKind.NOTHING, "bob@exa_mple.com"),
        ("bob@example.com@x", WordKind.NOTHING, "bob@example.com@x"),
        ("j\u00f6rg", WordKind.NOTHING, "j\u00f6rg"),
        ('"bob"', WordKind.NOTHING, '"bob"'),
        ("error:950 gone", WordKind.NOTHING, "error:950 gone"),
    ],
)
def test_a_word(value: str, kind: WordKind, text: str) -> None:
    assert list(words(value)) == [(kind, text)]


def test_several() -> None:
    assert [word.text for word in words("bob , al@example.com,,\"|x 'a,b'\"")] == [
        "bob", "al@example.com", "x 'a,b'",
    ]  # fmt: skip


@pytest.mark.parametrize("value", ['bob, "|open', "bob\\", "x" * 2048])
def test_values_that_smtpd_cannot_read(value: str) -> None:
    assert WordKind.NOTHING in [word.kind for word in words(value)]
