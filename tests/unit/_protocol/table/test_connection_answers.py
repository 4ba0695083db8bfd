"""Whatever tables return or raise, smtpd gets one legal answer."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from opensmtpd.answer import Offload
from opensmtpd.errors import ConfigError, HandlerTimeout, LocalError, VersionError
from opensmtpd.table import Service, Table
from unit.support.handlers import WAYS, explode
from unit.support.lookups import (
    REQUESTS,
    Acts,
    Rows,
    SlowRows,
    Talk,
    answer,
    check,
    fetch,
    lookup,
    update,
)

BOTH = pytest.mark.parametrize("kind", [Rows, SlowRows], ids=["plain", "async"])
ONE, TWO, THREE = b"00000001", b"00000002", b"00000003"


# --- what tables may not answer -------------------------------------------------------------------

BAD_VALUES = [
    ("", b"the value is empty"),
    ("a\nlookup-result|1|found|b", b"the value holds a line end or a NUL"),
    ("a\r", b"the value holds a line end or a NUL"),
    ("a\0b", b"the value holds a line end or a NUL"),
    ("x" * 2048, b"the value has 2048 bytes, and smtpd takes 2047"),
    ("\xe9" * 1024, b"the value has 2048 bytes, and smtpd takes 2047"),
    (b"bytes", b"a value is a str, not bytes"),
    (True, b"a value is a str, not bool"),
    (7, b"a value is a str, not int"),
    (["alice"], b"a value is a str, not list"),
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("value", "reason"), BAD_VALUES, ids=lambda value: repr(value)[:12])
@pytest.mark.parametrize(
    ("said", "verb"), [(lookup(), b"lookup"), (fetch(), b"fetch")], ids=["lookup", "fetch"]
)
def test_values_that_smtpd_cannot_take(
    said: bytes, verb: bytes, value: Any, reason: bytes, way: str
) -> None:
    talk = Talk(Acts(lambda: WAYS[way](lambda: value)))
    assert talk.say(said) + talk.finish_all() == answer(b"error|" + reason, verb)
    [line] = talk.logged
    service = {b"lookup": "alias", b"fetch": "source"}[verb]
    assert line == (
        f"{verb.decode()}-failed table=aliases service={service} error=DecisionError"
        f' reason="{reason.decode()}"'
    )


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("value", ["x" * 2047, "\xe9" * 1023, " ", "found|", "\udcff", "a|b"])
def test_values_that_are_just_good(value: str, way: str) -> None:
    talk = Talk(Acts(lambda: WAYS[way](lambda: value)))
    raw = value.encode("utf-8", "surrogateescape")
    assert talk.say(lookup()) + talk.finish_all() == answer(b"found|" + raw)
    assert talk.logged == []


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("value", [b"found", 1, 0, [], object()], ids=repr)
def test_checks_that_are_none(value: object, way: str) -> None:
    talk = Talk(Acts(lambda: WAYS[way](lambda: value)))
    kind = type(value).__name__.encode()
    assert talk.say(check(service=b"string")) + talk.finish_all() == answer(
        b"error|a check ends in a bool, not in a " + kind, b"check"
    )


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("value", "text"),
    [(True, b"found"), ("x", b"found"), (False, b"not-found"), (None, b"not-found")],
)
def test_checks(value: object, text: bytes, way: str) -> None:
    talk = Talk(Acts(lambda: WAYS[way](lambda: value)))
    assert talk.say(check()) + talk.finish_all() == answer(text, b"check")


@pytest.mark.parametrize("way", WAYS)
def test_updates(way: str) -> None:
    acts: Iterator[Callable[[], Any]] = iter(
        [
            lambda: None,
            lambda: explode(ConfigError("no such key", path="/etc/t", line=7, remedy="make one")),
            lambda: explode(OSError("secret")),
            lambda: True,
        ]
    )
    talk = Talk(Acts(lambda: WAYS[way](next(acts))))
    said = [talk.say(update()) + talk.finish_all() for _ in range(4)]
    assert said == [
        b"update-result|0c7d9dc5|ok\n",
        b"update-result|0c7d9dc5|error|/etc/t:7: no such key; make one\n",
        b"update-result|0c7d9dc5|error|OSError\n",
        b"update-result|0c7d9dc5|error|an update returns nothing, not a bool\n",
    ]
    assert talk.logged[0] == (
        'update-failed table=aliases error=ConfigError reason="/etc/t:7: no such key; make one"'
    )
    assert len(talk.logged) == 3


# --- whatever tables raise ------------------------------------------------------------------------

ERRORS: list[tuple[BaseException, bytes]] = [
    (ValueError("a row\n|"), b"ValueError"),
    (KeyError(b"\xff"), b"KeyError"),
    (OSError(5, "I/O"), b"OSError"),
    (SystemExit(0), b"SystemExit"),
    (KeyboardInterrupt(), b"KeyboardInterrupt"),
    (GeneratorExit(), b"GeneratorExit"),
    (RecursionError(), b"RecursionError"),
    (HandlerTimeout("too slow"), b"too slow"),
    (VersionError("x"), b"VersionError"),
    (StopAsyncIteration(), b"StopAsyncIteration"),
    (LocalError("no\nsuch|file \xe9"), b"no?such|file ?"),
    (LocalError("x" * 300), b"x" * 200),
    (LocalError(""), b""),
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("error", "text"), ERRORS, ids=lambda value: repr(value)[:20])
@pytest.mark.parametrize("verb", REQUESTS)
def test_what_is_raised_is_an_error_and_one_line_in_the_log(
    verb: str, error: BaseException, text: bytes, way: str
) -> None:
    talk = Talk(Acts(lambda: WAYS[way](lambda: explode(error))))
    said = talk.say(REQUESTS[verb]) + talk.finish_all()
    assert said == answer(b"error|" + text, verb.encode())
    [line] = talk.logged
    assert line.startswith(f"{verb}-failed table=aliases ")
    assert f"error={type(error).__name__} " in line
    assert line.isprintable()
    assert "a row" not in line
    assert not talk.protocol.busy


class Unprintable(Exception):
    def __str__(self) -> str:
        raise ValueError("not even this")

    __repr__ = __str__


class UnprintableLocal(LocalError):
    def __str__(self) -> str:
        raise ValueError("not even this")


class ExitsWhenPrinted(LocalError):
    def __str__(self) -> str:
        raise SystemExit(3)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("verb", REQUESTS)
@pytest.mark.parametrize("kind", [Unprintable, UnprintableLocal, ExitsWhenPrinted])
def test_an_error_that_cannot_be_shown(kind: type[Exception], verb: str, way: str) -> None:
    acts = iter([lambda: explode(kind("x")), lambda: None])
    talk = Talk(Acts(lambda: WAYS[way](next(acts))))
    said = talk.say(REQUESTS[verb]) + talk.finish_all()
    assert said.startswith(answer(b"error|", verb.encode())[:-1])
    assert said.count(b"\n") == 1
    assert talk.say(lookup()) + talk.finish_all() == answer(b"not-found")


@pytest.mark.parametrize("way", WAYS)
def test_the_log_says_where_it_was_raised(way: str) -> None:
    talk = Talk(Acts(lambda: WAYS[way](lambda: explode(ValueError()))))
    talk.say(lookup())
    talk.finish_all()
    assert " error=ValueError at=handlers.py:" in talk.logged[0]


class Spiteful(str):
    def __len__(self) -> int:
        raise OSError

    isascii = encode = __bool__ = __len__  # type: ignore[assignment]


@pytest.mark.parametrize("verb", ["lookup", "check", "fetch"])
@pytest.mark.parametrize("way", WAYS)
def test_a_str_that_raises(verb: str, way: str) -> None:
    talk = Talk(Acts(lambda: WAYS[way](lambda: Spiteful("x"))))
    said = talk.say(REQUESTS[verb]) + talk.finish_all()
    assert said == answer(b"error|OSError", verb.encode())


def test_an_offload_of_no_function() -> None:
    not_work: Any = "found"  # the function was called, not passed
    talk = Talk(Acts(lambda: Offload(not_work)))
    assert talk.say(lookup()) == answer(b"error|a str is no work for a thread")


def test_a_table_that_overrides_nothing() -> None:
    class Nothing(Table):
        services = tuple(Service)

    talk = Talk(Nothing())
    assert talk.say(lookup()) == answer(b"error|NotImplementedError")
    assert talk.say(check()) == answer(b"error|NotImplementedError", b"check")
    assert talk.say(fetch()) == answer(b"error|NotImplementedError", b"fetch")
    assert talk.say(update()) == answer(b"ok", b"update")
