"""Keys as smtpd makes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd.table import Service, text
from opensmtpd_cli.plugin import table_keys


@pytest.mark.parametrize(
    ("address", "wanted"),
    [
        ("Alice", ["alice"]),
        ("alice@Example.org", ["alice"]),
        ("alice+Tag@example.org", ["alice+tag", "alice"]),
        ("alice+a+b", ["alice+a+b", "alice"]),
        ("alice+", ["alice+", "alice"]),
        ("ÀB", ["Àb"]),
    ],
)
def test_of_an_alias(address: str, wanted: list[str]) -> None:
    assert table_keys.of_alias(address) == wanted


@pytest.mark.parametrize(
    ("address", "wanted"),
    [
        ("a@x.org", ["a@x.org", "a", "@x.org", "@"]),
        ("A+B@X.org", ["a+b@x.org", "a@x.org", "a+b", "a", "@x.org", "@"]),
        ("a+b+c@x.org", ["a+b+c@x.org", "a@x.org", "a+b+c", "a", "@x.org", "@"]),
        ("a+@x.org", ["a@x.org", "a", "@x.org", "@"]),
        ("a", ["a@", "a"]),
        ("a@b@x.org", ["a@b@x.org", "a@b", "@x.org", "@"]),
    ],
)
def test_of_a_virtual_address(address: str, wanted: list[str]) -> None:
    assert table_keys.of_virtual(address) == wanted


def test_another_delimiter() -> None:
    assert table_keys.of_virtual("a-b@x.org", "-") == [
        "a-b@x.org",
        "a@x.org",
        "a-b",
        "a",
        "@x.org",
        "@",
    ]
    assert table_keys.of_alias("a+b", "-") == ["a+b"]


@given(st.text())
def test_what_is_asked_for_is_in_lower_case(address: str) -> None:
    for key in table_keys.of_alias(address) + table_keys.of_virtual(address):
        assert text.lower(key) == key


def test_a_password_keeps_its_case_from_7_9_on() -> None:
    assert table_keys.asked(Service.AUTH, "A:Pw", (7, 9)) == "A:Pw"
    assert table_keys.asked(Service.AUTH, "A:Pw", (7, 8)) == "a:pw"
    assert table_keys.asked(Service.STRING, "A:Pw", (7, 9)) == "a:pw"


@pytest.mark.parametrize("key", ["k" * 1024, "é" * 512, "a\n", "\ra"])
def test_what_smtpd_does_not_ask_for(key: str) -> None:
    with pytest.raises(ValueError, match="the key h"):
        table_keys.asked(Service.ALIAS, key, (7, 9))


def test_the_longest_key() -> None:
    assert table_keys.asked(Service.ALIAS, "k" * 1023, (7, 9)) == "k" * 1023
