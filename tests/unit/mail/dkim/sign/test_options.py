"""The flags of filter-dkimsign, which other programs read, too."""

import argparse

import pytest

from opensmtpd.errors import ConfigError
from opensmtpd.mail.dkim.sign import options


def read(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(add_help=False)
    options.add(parser)
    return parser.parse_args(words)


def test_the_keys_that_flags_name() -> None:
    flags = read("-d", "a.example", "-d", "b.example", "-D", "list", "-s", "mail", "-k", "key")
    assert options.key_setup(flags) == {
        "domains": ["a.example", "b.example"],
        "domain_files": ["list"],
        "selector": "mail",
        "key": "key",
        "algorithm": None,
        "key_table": None,
    }
    assert options.key_setup(read("-f", "table"))["key_table"] == "table"


def test_a_key_table_stands_alone() -> None:
    with pytest.raises(ConfigError, match=r"^-f does not go with -d, -D, -s, -k or -a; "):
        options.key_setup(read("-f", "table", "-s", "mail"))


@pytest.mark.parametrize("text", ["0", "-1", "x", "²", "9" * 30])
def test_a_lifetime_is_a_number_of_seconds(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        options.lifetime(text)
    assert options.lifetime("3600") == 3600
