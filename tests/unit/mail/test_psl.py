"""Organizational domains by the Public Suffix List, with the tests that its authors publish."""

import sys
from collections.abc import Callable

import pytest

from opensmtpd.errors import ConfigError
from opensmtpd.mail import psl
from opensmtpd.mail.dkim.a_label import to_a_labels
from unit.support.inbound_suites import FOLDER


def published() -> list[tuple[str, str]]:
    """Return the names of the published tests and their organizational domains."""
    path = FOLDER / "psl" / "tests.txt"
    if not path.is_file():
        return []
    lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
    pairs = [line for line in lines if line and not line[0].startswith("//")]
    named = [[to_a_labels(each.lower()) for each in pair] for pair in pairs if pair[0] != "null"]
    return [(name, name if org == "null" else org) for name, org in named]


@pytest.fixture(scope="module")
def organizational() -> Callable[[str], str]:
    pytest.importorskip("publicsuffixlist")
    return psl.load()


@pytest.mark.parametrize(("name", "expected"), published())
def test_published_name(organizational: Callable[[str], str], name: str, expected: str) -> None:
    assert organizational(name) == expected


def test_names_that_are_none(organizational: Callable[[str], str]) -> None:
    for name in ("", ".", "a..com", "[192.0.2.1]", "a" * 300 + ".example.com", "a." * 5000 + "com"):
        assert organizational(name).isascii()


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "publicsuffixlist", None)
    with pytest.raises(ConfigError, match=r"public suffixes need .*opensmtpd-plugins\[psl\]"):
        psl.load()
