"""Patterns: what they match, which are refused, and the work that is left."""

import re
from random import Random

import pytest

from opensmtpd.filter.field import Field, read
from opensmtpd.mail.headers import patterns
from opensmtpd.mail.headers.patterns import VALUE_MAX, WORK_MAX, Matching, NamePattern, Pattern


def coins(seed: int) -> Field:
    """Return a field of which each byte is one of two, so that an expression meets new states."""
    field = read(b"X: " + bytes(Random(seed).choices(b"ab", k=1000)))
    assert field is not None
    return field


def matches(pattern: str, value: str | bytes) -> bool:
    raw = value.encode() if isinstance(value, str) else value
    field = read(b"X: " + raw)
    assert field is not None
    return Pattern(pattern).matches(field, Matching())


@pytest.mark.parametrize(
    ("pattern", "value", "found"),
    [
        # texts with stars: all of the value
        ("buy", "buy", True),
        ("buy", "BUY", True),
        ("buy", "buy now", False),
        ("*buy*", "to buy now", True),
        ("b?y", "boy", True),
        ("b?y", "by", False),
        ("b*y", "by", True),
        ("*", "", True),
        ("*", "anything", True),
        ("?", "", False),
        ("", "", True),
        ("", "x", False),
        ("*@spam.example", "bob@spam.example", True),
        ("*@spam.example", "<bob@spam.example>", False),
        ("*@spam.example*", "Bob <bob@spam.example>", True),
        ("*@spam.example*", "Bob <bob@spamXexample>", False),
        ("a.b+c(d)[e]{f}|g^h$\\i", "A.b+c(d)[e]{f}|g^h$\\I", True),
        ("a.b", "axb", False),
        ("[a]", "a", False),
        ("#1 in */*", "#1 in a/b", True),
        # expressions: anywhere
        ("/buy/", "to buy now", True),
        ("/^buy/", "to buy now", False),
        ("/^buy$/", "BUY", True),
        ("/buy +now!*$/", "buy   now!!!", True),
        ("/v[i1]agra/", "V1AGRA", True),
        ("/(cheap|free) pills/", "Free Pills", True),
        ("/[[:digit:]]{5}/", "no 12345", True),
        ("/[[:digit:]]{5}/", "no 1234", False),
        ("/a\\/b/", "a/b", True),
        ("/a/b/", "a/b", True),
        ("/^$/", "", True),
        ("/^$/", "x", False),
        ("/\\$\\$/", "$$", True),
        # letters of other scripts
        ("*günstig*", "GÜNSTIG", True),
        ("/GÜNSTIG/", "ganz günstig", True),
        ("*купить*", "КУПИТЬ СЕЙЧАС", True),
        ("/ΚΕΡΔΟΣ/", "ΚΕΡΔΟΣΑ", True),
        ("*κέρδος*", "ΚΈΡΔΟΣ=", True),
        ("/Σ$/", "κέρδος", True),
        ("caf?", "CAFÉ", True),
        ("caf??", "café", False),
        ("??", "今す", True),
        ("?", "今す", False),
        # encoded words, and as they stand
        ("*günstig*", "=?iso-8859-1?q?ganz_G=DCNSTIG?=", True),
        ("*günstig*", "=?utf-8?b?R8OcTlNUSUc=?=", True),
        ("/^buy now$/", "=?utf-8?q?buy?= =?utf-8?q?_now?=", True),
        ("=?koi8-r?*", "=?koi8-r?b?y9XQydTY?=", True),
        ("/^=\\?koi8-r/", "=?koi8-r?b?y9XQydTY?=", True),
        # folded
        ("/buy now/", "buy\n now", True),
        ("buy now", "\n buy\n now", True),
        ("/buynow/", "buy\n now", False),
    ],
)
def test_patterns(pattern: str, value: str, found: bool) -> None:
    assert matches(pattern, value) is found


@pytest.mark.parametrize(
    ("pattern", "value", "found"),
    [
        ("caf?", b"caf\xe9", True),
        ("*buy*", b"\xff\xfe buy \xff", True),
        ("/^.buy/", b"\xffbuy", True),
        ("/a.b/", b"a\rb", True),
        ("/buy/", b"b\0uy", False),
        ("*\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}*", "\u0130".encode(), True),
    ],
)
def test_bytes_that_are_no_text(pattern: str, value: bytes, found: bool) -> None:
    assert matches(pattern, value) is found


def test_the_first_bytes_of_a_value_count() -> None:
    assert matches("/x/", b"a" * (VALUE_MAX - 1) + b"x")
    assert not matches("/x/", b"a" * VALUE_MAX + b"x")


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("/", "'/' begins as an expression, and is none"),
        ("//", "'//' begins as an expression, and is none"),
        ("/buy", "'/buy' begins as an expression, and is none"),
        ("/buy/i", "without letters behind it"),
        ("/usr/bin", "'/usr/bin' begins as an expression, and is none"),
        ("/(a/", "a group without its end"),
        ("/[a/", "a bracket"),
        ("/*a/", "nothing to repeat"),
        ("/a{2/", "a { that begins no interval"),
        ("/(?:a)/", "nothing to repeat"),
        ("/\\d/", "\\d, which systems read differently"),
        ("/(a)\\1/", "a back-reference"),
        ("/a\\/", "a backslash at the end"),
        ("/a\0b/", "a NUL byte"),
        ("a" * 600, "over 512 bytes"),
    ],
)
def test_patterns_that_are_refused(pattern: str, reason: str) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)):
        Pattern(pattern)


@pytest.mark.parametrize(
    ("written", "name", "found"),
    [
        ("Subject", b"Subject", True),
        ("subject", b"SUBJECT", True),
        ("Subject", b"Subject2", False),
        ("X-*", b"x-mailer", True),
        ("X-*", b"X-", True),
        ("X-*", b"Y-X-", False),
        ("*", b"From", True),
        ("*-ID", b"Message-Id", True),
        ("*-ID", b"Message-Ids", False),
        ("X-*-*-Score", b"X-Our-Spam-Score", True),
        ("X-*-*-Score", b"X-Spam-Score", False),
        ("X-*-Score", b"X-A-Score-B-Score", True),
        ("*a*", b"bab", True),
        ("**", b"x", True),
        ("X-A+B", b"X-AAB", False),
        ("X.A", b"X-A", False),
        ("X?A", b"X-A", False),
    ],
)
def test_names(written: str, name: bytes, found: bool) -> None:
    assert NamePattern(written).matches(name) is found


@pytest.mark.parametrize("written", ["", "Subject:", "a b", "Betreff-ü", "a\0", "a\n"])
def test_names_that_are_none(written: str) -> None:
    with pytest.raises(ValueError, match="is no name of a field"):
        NamePattern(written)


def test_a_long_name_takes_no_long_time() -> None:
    """Each star would double the digits of the steps."""
    name = b"X" + b"-" * 65_000
    assert not NamePattern("X-*-*-*-*-*-*Y").matches(name)
    assert NamePattern("X-*-*-*-*-*-*Y").matches(name + b"Y")


# --- work -----------------------------------------------------------------------------------------


def test_the_work_for_a_message_has_an_end() -> None:
    matching, pattern, met = Matching(), Pattern("/a.{60}c/"), 0
    while matching.left >= 0:
        assert not pattern.matches(coins(met), matching)
        met += 1
    assert met > 3
    easy, pattern = read(b"X: abc"), Pattern("abc")
    assert easy is not None
    assert pattern.matches(easy, Matching())
    assert not pattern.matches(easy, matching)


def test_a_value_for_which_too_little_work_is_left() -> None:
    field, matching = read(b"X: abc"), Matching()
    assert field is not None
    matching.left = 70
    assert not Pattern("abc").matches(field, matching)
    assert matching.left < 0


def test_states_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    pattern = Pattern("/a.{60}c/")
    pattern.matches(coins(0), Matching())
    assert pattern._automaton.states > 500
    monkeypatch.setattr(patterns, "STATES_MAX", 1000)
    pattern.matches(coins(1), Matching())
    assert pattern._automaton.states == 1


def test_a_value_is_read_once() -> None:
    one, other = read(b"X: =?utf-8?q?a?="), read(b"Y: =?utf-8?q?a?=")
    assert one is not None
    assert other is not None
    matching = Matching()
    assert matching.readings(one) == (b"=?utf-8?q?a?=", b"a")
    left = matching.left
    assert matching.readings(other) is matching.readings(one)
    assert matching.left == left < WORK_MAX


def test_a_large_field_is_unfolded_once() -> None:
    times = []

    class Counted(Field):
        __slots__ = ()

        @property
        def value(self) -> bytes:
            times.append(1)
            return super().value

    field, matching = Counted(b"X: ab" + b" c\n" * 100_000, 1, 2), Matching()
    assert not any(Pattern(f"/z{each}/").matches(field, matching) for each in range(9))
    assert len(times) == 1
