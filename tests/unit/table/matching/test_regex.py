"""POSIX extended regular expressions: what Python would read otherwise, or not at all."""

import signal
from types import FrameType

import pytest

from opensmtpd.table import Patterns, Service
from opensmtpd.table.matching.regex import Regexes, compile_posix


def found(row: str, key: str) -> bool:
    pattern = compile_posix(row)
    assert pattern is not None
    return pattern.search(key) is not None


@pytest.mark.parametrize(
    ("row", "key"),
    [
        ("example", "mail.example.org"),
        ("^mail[0-9]+\\.example\\.(org|net)$", "mail12.example.net"),
        ("EXAMPLE", "example"),
        ("(?i)EXAMPLE", "example"),
        ("(?I)example", "EXAMPLE"),
        ("[[:upper:]]", "a"),
        ("[A-z]", "_"),
        ("^.$", "\n"),
        ("^a{2,}$", "aaa"),
        ("^a{,2}$", "aa"),
        ("^a{,}$", "aaa"),
        ("^a{2}{2}$", "aaaa"),
        ("^a**$", "aa"),
        ("^a*?$", "aa"),
        ("^a+?$", ""),  # (a+)?
        ("^a*+a$", "a"),  # (a*)+, and not possessive
        ("^(^)*$", ""),
        ("^()*$", ""),
        ("^(|a)b$", "ab"),
        ("^a||b$", "zzz"),
        ("a)", "a)"),
        ("a]}", "a]}"),
        (r"^[\d]+$", r"d\d"),
        (r"\.\*\[\(\|\$", ".*[(|$"),
        (r"\-\@\/", "-@/"),
        (r"^\w\W\s\S$", "a  b"),
        (r"\<b\>", "a b c"),
        (r"\bb\b", "a b c"),
        (r"^\B$", ""),
        ("#a b", "#a b"),
        ("^[^a]$", "\xff"),
    ],
)
def test_matches(row: str, key: str) -> None:
    assert found(row, key)


@pytest.mark.parametrize(
    ("row", "key"),
    [
        ("^mail\\.", "mailx"),
        ("a^b", "a^b"),
        ("a$b", "a$b"),
        ("a$", "a\n"),
        ("^b", "a\nb"),
        (r"^[\d]+$", "7"),
        (r"\w", "\xe9"),
        ("^\xe0$", "\xc0"),
        (r"\<b", "ab"),
        ("a{2}", "a"),
    ],
)
def test_does_not_match(row: str, key: str) -> None:
    assert not found(row, key)


@pytest.mark.parametrize(
    "row",
    [
        "",
        "(?i)",
        "(?:a)",
        "(?=a)",
        "(?P<x>a)",
        "a(?i)b",
        "*a",
        "^*a",
        "a|*b",
        "(+b)",
        r"\<*a",
        "a{",
        "a{}",
        "a{x}",
        "a{1",
        "a{2,1}",
        "a{32768}",
        "{1}",
        "(a",
        "[a",
        "a\\",
        r"\d",
        r"\D+",
        r"\t",
        r"\x41",
        r"\Aa\Z",
        r"\'",
        r"(a)\1",
        r"\0",
        "(" * 101 + "a" + ")" * 101,
    ],
)
def test_unreadable(row: str) -> None:
    assert compile_posix(row) is None
    assert Patterns(Service.REGEX, [row, "b"]).unreadable == [row]


def test_bytes_are_what_is_matched() -> None:
    index = Patterns(Service.REGEX, ["^.\udcff$", "^[é]{2}$"])
    assert index.find("a\udcff") == "^.\udcff$"
    assert index.find("é") == "^[é]{2}$"


def test_rows_are_tried_in_their_order() -> None:
    index = Regexes()
    assert [index.add(row) for row in ("b+", "(", "a", "ab")] == [True, False, True, True]
    assert [index.find(key) for key in ("ab", "a", "c")] == ["b+", "a", None]


def test_a_match_that_takes_for_ever_can_be_interrupted() -> None:
    class EnoughError(Exception):
        pass

    def ring(signum: int, frame: FrameType | None) -> None:
        raise EnoughError

    index = Patterns(Service.REGEX, ["^(a|aa)+$", "b$"])
    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    try:
        with pytest.raises(EnoughError):
            index.find("a" * 1000 + "b")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert index.find("b") == "b$"


def test_groups_within_groups() -> None:
    pattern = compile_posix("(" * 100 + "a" + ")" * 100)
    assert pattern is not None
    assert pattern.search("xay")
