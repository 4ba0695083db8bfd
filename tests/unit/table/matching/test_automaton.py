"""Matching: where in a key an expression may begin and end, and what is remembered."""

import sys
from types import FrameType
from typing import Any

import pytest

from opensmtpd.table.matching.automaton import Automaton
from opensmtpd.table.matching.expression import Expression

MANY = 10_000


def automaton(text: str, *, caseless: bool = False) -> Automaton:
    return Automaton(Expression(text, caseless=caseless))


@pytest.mark.parametrize(
    ("text", "matches", "others"),
    [
        ("ab", ["ab", "xab", "abx", "aab"], ["", "a", "ba", "a b"]),
        ("^ab", ["ab", "abx"], ["xab", "", "aab"]),
        ("ab$", ["ab", "xab", "abab"], ["abx", ""]),
        ("^ab$", ["ab"], ["xab", "abx", "abab", ""]),
        ("^$", [""], ["a"]),
        ("$", ["", "a"], []),
        ("^", ["", "a"], []),
        ("", ["", "a"], []),
        ("a^b", [], ["ab", "a^b"]),
        ("a$b", [], ["ab", "a$b"]),
        ("(^a)*b", ["b", "ab", "xb"], ["a"]),
        ("(^|x)a", ["a", "xa", "bxa"], ["ba"]),
        ("a($|x)", ["a", "ba", "axb"], ["ab"]),
        ("^^a$$", ["a"], ["ab", "ba"]),
        (r"\<ab\>", ["ab", "x ab", "ab-c"], ["xab", "abx", "ab_"]),
        (r"\bab\b", ["ab", "-ab-"], ["xab", "abx"]),
        (r"\Bab", ["xab", "_ab"], ["ab", "-ab"]),
        (r"ab\B", ["abx"], ["ab", "ab-"]),
        (r"^\B$", [""], ["a", "-"]),
        (r"\<", ["a", "-a"], ["", "-"]),
        (r"a\b-\<b\>$", ["a-b"], ["a-bc", "a--b"]),
        (r"\bb|^a\B", ["b", "x b", "ab"], ["a", "xb"]),
        ("a.b", ["a\nb", "a\xffb"], ["ab"]),
    ],
)
def test_where_it_matches(text: str, matches: list[str], others: list[str]) -> None:
    some = automaton(text)
    for _ in range(2):  # what is remembered says the same
        for key in matches:
            assert some.match(key.encode("latin-1"), MANY) is True
        for key in others:
            assert some.match(key.encode("latin-1"), MANY) is False


def test_it_matches_anew_when_it_has_forgotten() -> None:
    some = automaton("(a|b)*a(a|b){3}$")
    keys = [b"abbb", b"bbbb", b"babab", b""]
    before = [some.match(key, MANY) for key in keys]
    assert before == [True, False, True, False]
    assert (some.steps, some.states) != (0, 1)
    some.forget()
    assert (some.steps, some.states) == (0, 1)
    assert [some.match(key, MANY) for key in keys] == before


def test_a_key_that_was_met_takes_no_step() -> None:
    some = automaton("(a|b)*a(a|b){9}$")
    key = b"abba" * 200
    some.match(key, MANY)
    steps = some.steps
    assert 0 < steps <= len(key)
    some.match(key, MANY)
    assert some.steps == steps


def test_bytes_that_nothing_tells_apart_are_one() -> None:
    some = automaton("^a[0-9]+$")
    some.match(b"a0", MANY)
    steps = some.steps
    for key in (b"a1", b"a7", b"a9"):
        assert some.match(key, MANY)
    assert some.steps == steps


def test_it_stops_where_nothing_can_come() -> None:
    some = automaton("^a")
    assert not some.match(b"b" * 1000, MANY)
    assert some.match(b"a" + b"b" * 1000, MANY)
    assert some.steps == 3  # b; a; and what comes behind it


def test_it_ends_after_so_many_new_steps_and_goes_on_from_there() -> None:
    some = automaton("a.{8}[bc]$")
    key = b"bca" * 9 + b"a12345678b"
    answers = [some.match(key, 2) for _ in range(20)]
    assert answers[0] is None
    assert answers[-1] is True
    assert answers == sorted(answers, key=bool)  # and never unknown again
    assert some.match(key, 0) is True


class EnoughError(Exception):
    """What a signal handler raises."""


def test_an_exception_at_any_line_leaves_it_sound() -> None:
    """A watchdog's signal may end a match anywhere; those that follow are right nevertheless."""
    keys = [
        (b"abbabbb", True),
        (b"abbbbbb", False),
        (b"bbaabbb", True),
        (b"babab", True),
        (b"", False),
    ]

    def interrupted(some: Automaton, at: int) -> bool:
        lines = iter(range(at))

        def trace(frame: FrameType, event: str, _: Any) -> Any:
            if not frame.f_code.co_filename.endswith("/automaton.py"):
                return None
            if event == "line" and next(lines, None) is None:
                raise EnoughError
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            for key, _ in keys:
                some.match(key, MANY)
        except EnoughError:
            return True
        finally:
            sys.settrace(before)
        return False

    some = automaton("(a|b)*a(a|b){3}$")
    for at in range(10_000):
        some.forget()
        ended = not interrupted(some, at)
        for key, expected in keys:
            assert some.match(key, MANY) is expected
        if ended:
            break
    assert 50 < at < 9_999
