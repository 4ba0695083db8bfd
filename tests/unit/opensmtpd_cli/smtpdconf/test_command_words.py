"""The words of a filter's command."""

import pytest

from opensmtpd_cli.smtpdconf import command_words


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("filter-x -d example.com", ["filter-x", "-d", "example.com"]),
        ("filter-x --text 'a b'", ["filter-x", "--text", "a b"]),
        (
            "filter-x --rdns 'reject:550 no $5; #1!'",
            ["filter-x", "--rdns", "reject:550 no $5; #1!"],
        ),
        ("filter-x \"it's; '\" '\"'", ["filter-x", "it's; '", '"']),
        ('filter-x "$HOME"', []),
        ('filter-x "a\\b"', []),
        ("filter-x a\\b", []),
        ("filter-x 'a", []),
        ("filter-x $HOME", []),
        ("filter-x >/tmp/log", []),
        ("", []),
    ],
)
def test_words_that_need_no_shell(command: str, words: list[str]) -> None:
    assert command_words.words(command) == words
