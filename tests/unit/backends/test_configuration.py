"""Files of ``key value`` lines, and what values may be."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd.backends.configuration import character, seconds, take, whole, yes
from opensmtpd.errors import ConfigError


class Keys:
    """Takes some keys, and refuses the value ``bad``."""

    def __init__(self, *known: str) -> None:
        self.known = known
        self.taken: list[tuple[str, str, int]] = []

    def set(self, key: str, value: str, line: int) -> bool:
        if key not in self.known:
            return False
        if value == "bad":
            raise ValueError("it is bad")
        if value == "worse":
            raise ConfigError("no such host")
        self.taken.append((key, value, line))
        return True


def test_each_line_goes_to_the_first_who_knows_its_key(tmp_path: Path, logged: list[str]) -> None:
    path = tmp_path / "x.conf"
    path.write_bytes(b"# no\nhost  a b\n\n both: \tx \nport:25\r\nnone 1\nempty\nhost \xff\0 z\n")
    one, other = Keys("host", "both", "empty"), Keys("port", "both")
    take(str(path), one.set, other.set)
    assert one.taken == [("host", "a b", 2), ("both", "x", 4), ("host", "\udcff", 8)]
    assert other.taken == [("port", "25", 5)]
    assert logged == [
        f'key-ignored key=none at={path}:6 reason="it is unknown"',
        f'key-ignored key=empty at={path}:7 reason="it has no value"',
    ]


def test_a_password_behind_an_equals_sign_is_not_logged(tmp_path: Path, logged: list[str]) -> None:
    path = tmp_path / "x.conf"
    path.write_text("password=secret\npass=secret word\npassword\n")
    take(str(path), Keys("password").set)
    assert logged == [
        f"key-ignored key=password at={path}:1 reason=\"a blank belongs behind it, not '='\"",
        f'key-ignored key=pass at={path}:2 reason="it is unknown"',
        f'key-ignored key=password at={path}:3 reason="it has no value"',
    ]


@pytest.mark.parametrize(
    ("value", "text"), [("bad", "{}:2: bad value for host: it is bad"), ("worse", "no such host")]
)
def test_a_value_that_cannot_be_used(tmp_path: Path, value: str, text: str) -> None:
    path = tmp_path / "x.conf"
    path.write_text(f"\nhost {value}\n")
    with pytest.raises(ConfigError) as caught:
        take(str(path), Keys("host").set)
    assert str(caught.value) == text.format(path)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read it"):
        take(str(tmp_path / "none"))


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [
        (whole, "0", 0),
        (whole, "2147483647", 2147483647),
        (seconds(0, 5), "0", 0.0),
        (seconds(0.5, 5), "0.5", 0.5),
        (seconds(0.5, 5), "5", 5.0),
        (character, "+", "+"),
        (character, "\xe9", "\xe9"),
        (yes, "yes", True),
        (yes, "no", False),
    ],
)
def test_values(read: Callable[[str], object], text: str, value: object) -> None:
    assert read(text) == value


@pytest.mark.parametrize(
    ("read", "text", "fault"),
    [
        (whole, "2147483648", "'2147483648' is no number from 0 to 2147483647"),
        (whole, "x", "'x' is no number from 0 to 2147483647"),
        (seconds(0.5, 5), "0.4", "'0.4' is no number of seconds from 0.5 to 5"),
        (seconds(0.5, 5), "5.1", "'5.1' is no number of seconds from 0.5 to 5"),
        (seconds(0, 5), "inf", "'inf' is no number of seconds from 0 to 5"),
        (seconds(0, 5), "1e0", "'1e0' is no number of seconds from 0 to 5"),
        (character, "", "'' is not one character"),
        (yes, "Yes", "'Yes' is neither yes nor no"),
    ],
)
def test_values_that_are_none(read: Callable[[str], object], text: str, fault: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        read(text)
    assert str(caught.value) == fault


@given(st.binary(max_size=200))
def test_any_file_is_read(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    """Each key and each value ends where the line does, and has no space around it."""
    path = tmp_path_factory.getbasetemp() / "any.conf"
    path.write_bytes(data)
    taken: list[tuple[str, str, int]] = []

    def set(key: str, value: str, line: int) -> bool:
        taken.append((key, value, line))
        return True

    take(str(path), set)
    for key, value, line in taken:
        assert not set_of(key) & set_of(" \t:\n")
        assert value == value.strip(" \t\n\v\f\r") != ""
        assert line <= data.count(b"\n") + 1


def set_of(text: str) -> frozenset[str]:
    return frozenset(text)
