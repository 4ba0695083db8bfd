"""Rows of regular expressions: what they match, which are refused and why, and what they cost."""

import random
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opensmtpd.errors import LocalError
from opensmtpd.table import Patterns, Service
from opensmtpd.table.matching import regex
from opensmtpd.table.matching.regex import Regexes, compile_row


def found(row: str, key: str) -> bool:
    index = Regexes()
    index.add(row)
    return index.find(key) == row


@pytest.mark.parametrize(
    ("row", "key"),
    [
        ("example", "mail.example.org"),
        ("^mail[0-9]+\\.example\\.(org|net)$", "mail12.example.net"),
        ("EXAMPLE", "example"),
        ("(?i)EXAMPLE", "example"),
        ("(?I)example", "example"),
        ("(?i)", "anything"),
        ("(?i)[[:upper:]]", "a"),
        ("[A-z]", "b"),
        (r"^\S\W\w$", "a-b"),  # capitals in escapes keep their meaning
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
        ("[[:upper:]]", "a"),  # keys are in lower case
        ("[A-z]", "_"),  # [A-Z], as in glibc with REG_ICASE
        ("[Z-^]", "_"),
    ],
)
def test_does_not_match(row: str, key: str) -> None:
    assert not found(row, key)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("", "an empty expression"),
        ("a\0", "a NUL byte"),
        ("(?:a)", "nothing to repeat"),
        ("(?=a)", "nothing to repeat"),
        ("(?P<x>a)", "nothing to repeat"),
        ("a(?i)b", "nothing to repeat"),
        ("*a", "nothing to repeat"),
        ("^*a", "nothing to repeat"),
        ("a|*b", "nothing to repeat"),
        ("(+b)", "nothing to repeat"),
        (r"\<*a", "nothing to repeat"),
        ("{1}", "nothing to repeat"),
        ("a{", "a { that begins no interval"),
        ("a{}", "a { that begins no interval"),
        ("a{x}", "a { that begins no interval"),
        ("a{1", "a { that begins no interval"),
        ("a{2,1}", "an interval that is none"),
        ("a{32768}", "an interval that is none"),
        ("a{32768,}", "an interval that is none"),
        ("(a", "a group without its end"),
        ("((a)", "a group without its end"),
        ("[a", "a bracket without its end"),
        ("a\\", "a backslash at the end"),
        (r"\d", r"\d, which systems read differently"),
        (r"\D+", r"\D, which systems read differently"),
        (r"\t", r"\t, which systems read differently"),
        (r"\x41", r"\x, which systems read differently"),
        (r"\Aa\Z", r"\A, which systems read differently"),
        (r"\'", r"\', which systems read differently"),
        (r"(a)\1", "a back-reference"),
        (r"\0", "a back-reference"),
    ],
)
def test_refused(row: str, reason: str) -> None:
    index = Patterns(Service.REGEX, [row, "b"])
    assert index.unreadable == [row]
    assert index.reason == reason or (row == "" and index.reason == "an empty row")
    with pytest.raises(ValueError, match=r".") as caught:
        compile_row(row)
    assert str(caught.value) == reason


TOO_MANY = "with its repeats written out, over 1000 characters"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("a" * 513, "over 512 bytes"),
        ("(" * 21 + "a" + ")" * 21, "groups within groups, over 20 deep"),
        ("(" * 500, "groups within groups, over 20 deep"),
        ("a{1000}b", TOO_MANY),
        ("a{0,32767}", TOO_MANY),
        ("a{32767}" * 60, TOO_MANY),
        ("(a{1,30}){1,40}", TOO_MANY),
        ("(a{1,30}){1,30}(b{1,30}){1,30}", TOO_MANY),
        ("((((a{9}){9}){9}){9}){9}", TOO_MANY),
        ("a{10}{10}{10}{10}", TOO_MANY),
        ("(^a){201}", "with its repeats written out, over 200 anchors"),
        (r"\b" * 201, "with its repeats written out, over 200 anchors"),
    ],
)
def test_refused_for_what_it_could_cost(row: str, reason: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        compile_row(row)
    assert str(caught.value) == reason


@pytest.mark.parametrize(
    ("row", "key"),
    [
        ("a" * 512, "a" * 512),
        ("(" * 20 + "a" + ")" * 20, "a"),
        ("^a{997}$", "a" * 997),
        ("^(a{1,30}){1,33}$", "a" * 990),
        ("(^a){200}|b", "b"),
        ("(){1000}{1000}a", "a"),
        ("(a{0}){1000}b", "b"),
    ],
)
def test_the_largest_that_are_taken(row: str, key: str) -> None:
    assert found(row, key)
    assert not found(row, "c")


def test_bytes_are_what_is_matched() -> None:
    index = Patterns(Service.REGEX, ["^.\udcff$", "^[é]{2}$"])
    assert index.find("a\udcff") == "^.\udcff$"
    assert index.find("é") == "^[é]{2}$"


def test_rows_are_tried_in_their_order() -> None:
    index = Patterns(Service.REGEX, ["b+", "(", "a", "ab"])
    assert index.unreadable == ["("]
    assert [index.find(key) for key in ("ab", "a", "c")] == ["b+", "a", None]


@pytest.mark.parametrize(
    ("row", "literal"),
    [
        ("spam", b"spam"),
        ("SPAM", b"spam"),
        (r"^spam[0-9]+\.example\.org$", b".example.org"),
        ("ab?cde", b"cde"),
        ("abc+d", b"ab"),
        ("ab{0}c", b"a"),
        ("a(bcd)e", b"a"),
        ("ab|abc", b""),
        ("(ab|cd)efg", b"efg"),
        ("a[b]c", b"abc"),
        ("a.c", b"a"),
        ("a^b", b"ab"),
        (r"a\bb\(", b"ab("),
        (r"\w\S", b""),
        ("(?i)[ab]", b""),
        ("\xe9a", b"\xc3\xa9a"),
    ],
)
def test_a_text_that_each_match_holds(row: str, literal: bytes) -> None:
    assert compile_row(row).literal == literal


STALLS = [
    r"^([a-z0-9]+[-.]?)+@example\.org$",
    "^(a|aa)+$",
    "^(a*)*$b",
    "(a|b)*a(a|b){300}$",
    "([ab]?){0,900}x",
    "(" * 20 + "[ab]+" + ")+" * 20 + "x",
    "(^|a$|$a)*" * 40 + "x",
    "(.*.*.*)*=",
    "(((a{0,10}){0,10}){0,9})*x",
]
"""glibc's regexec(3) or Python's re take seconds and longer for these, or all memory."""


def keys(count: int) -> list[str]:
    source = random.Random(7)
    return ["".join(source.choices("ab", k=1023)) for _ in range(count)] + ["a" * 1022 + "!"]


@pytest.mark.parametrize("row", STALLS)
def test_no_key_makes_a_match_take_more_than_its_bytes(row: str) -> None:
    """Counted in steps, each of which costs some microseconds, whatever stood before it."""
    automaton = compile_row(row).automaton
    for key in keys(3):
        before = automaton.steps
        assert automaton.match(key.encode(), len(key)) is not None
        assert automaton.steps - before <= len(key)
    assert automaton.work <= 460


@given(st.text("ab().|*+?{}[]^$\\\\<0129,-", max_size=512))
@settings(max_examples=300, deadline=None)
def test_whatever_a_row_says_its_memory_and_its_steps_are_bounded(row: str) -> None:
    try:
        automaton = compile_row(row).automaton
    except ValueError:
        return
    assert automaton.size < 3 << 20
    assert automaton.work <= 460
    for key in keys(1):
        before = automaton.steps
        automaton.match(key.encode(), len(key))
        assert automaton.steps - before <= len(key)
        assert automaton.states <= automaton.steps + 1


def test_a_lookup_ends_when_it_has_worked_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    index = Regexes()
    for number in range(50):
        index.add(f"(a|b)*a(a|b){{{300 + number}}}c$")
        index.add(f"([ab][ab])*b([ab]){{{300 + number}}}[!-/]$")
    key = keys(1)[0]
    with pytest.raises(LocalError) as caught:
        index.find(key)
    assert str(caught.value) == "a key of 1023 bytes that takes too long to match with all rows"
    done = sum(row.automaton.steps > 40 for row in index._rows)
    assert 1 <= done <= 4  # one row has reached the limit, or a few
    assert index.find("alice@example.org") is None


def test_many_rows_are_not_too_much_for_usual_keys() -> None:
    index = Regexes()
    for number in range(1000):
        index.add(rf"^[a-z]*[0-9]{{{number % 9 + 1}}}[._-]spammer{number}@.*\.(org|net)$")
    for key in ("alice@example.org", "alice.smith+tag@mail.example.org", "1.spammer0@a.net"):
        assert (index.find(key) is None) == (key[0] == "a")


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    index = Regexes()
    index.add("(a|b)*a(a|b){20}$")
    monkeypatch.setattr(regex, "STATES_MAX", 1_000_000)
    sizes = []
    tracemalloc.start()
    for key in keys(40):
        index.find(key)
        sizes.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert max(sizes) < 2_500_000
    assert [found("(a|b)*a(a|b){20}$", "b" * end + "a" + "b" * 20) for end in (0, 9)] == [True] * 2


def test_memory_of_all_rows_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    row = "a{1,900}b"
    size = compile_row(row).automaton.size
    monkeypatch.setattr(regex, "MEMORY_MAX", 3 * size)
    index = Patterns(Service.REGEX, [row] * 5)
    assert len(index) == 3
    assert index.reason == "the rows before it take all the memory that a table has for them"


@pytest.mark.parametrize("row", ["^a+@example.org$", "a{1,900}b", r"(\bab\B|c){1,40}"])
def test_the_size_of_a_row_is_about_what_it_takes(row: str) -> None:
    compile_row(row)
    tracemalloc.start()
    compiled = compile_row(row)
    taken = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert 0.5 < taken / compiled.automaton.size < 2


def test_rows_that_are_dropped_leave_nothing() -> None:
    def update() -> None:
        index = Regexes()
        for row in (*STALLS[:3], "spam", "(ham|eggs)+@"):
            index.add(row)
        index.find("spam@example.org" * 9)

    for _ in range(5):
        update()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(200):
        update()
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert after - before < 20_000


def test_rows_are_not_compiled_for_ever_where_there_is_no_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """20,000 rows took 40 s at a start, of which two seconds were for those that were taken."""
    size = compile_row("a{100}").automaton.size
    monkeypatch.setattr(regex, "MEMORY_MAX", 3 * size)
    compiled: list[str] = []

    def counted(row: str) -> regex.Compiled:
        compiled.append(row)
        return compile_row(row)

    monkeypatch.setattr(regex, "compile_row", counted)
    index = Patterns(Service.REGEX, ["a{100}"] * 100)
    assert (len(index), len(index.unreadable), len(compiled)) == (3, 97, 7)
