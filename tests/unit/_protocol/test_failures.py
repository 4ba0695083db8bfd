"""The place of a failure, and the lines of its traceback."""

import json
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from opensmtpd._protocol.failures import (
    CAUSES_MAX,
    FRAMES_MAX,
    any_text,
    no_text,
    own_text,
    place,
    traceback,
)
from opensmtpd.errors import ConfigError, HandlerTimeout, LocalError
from opensmtpd.filter import Filter, Reject
from opensmtpd.filter.decisions import encode

HERE = __file__


def caught(call: Callable[[], Any]) -> BaseException:
    """Return the exception of a call, without this function's own frame."""
    with pytest.raises(BaseException) as found:  # noqa: PT011  any
        call()
    error, trace = found.value, found.value.__traceback__
    assert trace is not None
    return error.with_traceback(trace.tb_next)


def line(call: Callable[..., Any], below: int = 1) -> int:
    """Return the number of a line of a function, counted from that of its name."""
    return call.__code__.co_firstlineno + below


def installed(path: str) -> Callable[[], Any]:
    """Return a function that stands in a file at this path, and fails in its second line."""
    names: dict[str, Any] = {}
    exec(compile("def fail():\n    raise ValueError('x')", path, "exec"), names)
    return names["fail"]  # type: ignore[no-any-return]


def of_json() -> None:
    json.loads("[")


def of_ours() -> None:
    Reject(1, "x")


def of_a_package() -> None:
    installed("/usr/lib/python3/dist-packages/some/part.py")()


def of_its_own() -> None:
    installed("/usr/local/libexec/smtpd/filter-some")()


@pytest.mark.parametrize("call", [of_json, of_ours, of_a_package])
def test_the_authors_line_is_named(call: Callable[[], None]) -> None:
    assert place(caught(call)) == f"test_failures.py:{line(call)}"


def test_the_deepest_of_the_authors_lines_is_named() -> None:
    assert place(caught(of_its_own)) == "filter-some:2"
    assert place(caught(installed("<string>"))) == "<string>:2"


@pytest.mark.parametrize(
    "path",
    [
        "/x/.venv/lib/python3.11/site-packages/some/part.py",
        "/usr/lib/python3/dist-packages/some/part.py",
        f"{json.__file__.removesuffix('json/__init__.py')}part.py",
        "<frozen importlib._bootstrap>",
    ],
)
def test_the_deepest_of_all_where_none_is_the_authors(path: str) -> None:
    assert place(caught(installed(path))) == f"{path.rpartition('/')[2]}:2"


class Author:
    def on_data(self, session: object, request: object) -> None:
        """Forget to return."""

    @staticmethod
    def on_quit(session: object, request: object) -> None:
        """Forget to return."""


AUTHOR = Author()
LINE = Author.on_data.__code__.co_firstlineno


@pytest.mark.parametrize(
    ("method", "at"),
    [
        (AUTHOR.on_data, LINE),
        (partial(AUTHOR.on_data, 1), LINE),
        (partial(partial(Author.on_data, AUTHOR), 1), LINE),
        (AUTHOR.on_quit, Author.on_quit.__code__.co_firstlineno),
    ],
)
def test_the_authors_method_is_named_where_no_line_is_the_authors(method: object, at: int) -> None:
    error = caught(partial(encode, "data", None))
    assert place(error, method) == f"test_failures.py:{at}"
    assert str(place(error)).startswith("decisions.py:")
    assert place(caught(of_json), method) == f"test_failures.py:{line(of_json)}"
    assert place(ValueError(), method) is None


@pytest.mark.parametrize("method", [None, Filter().on_data, [].append, partial(int), json.loads])
def test_a_method_that_is_not_the_authors_is_not_named(method: object) -> None:
    error = caught(partial(encode, "data", None))
    assert place(error, method) == place(error)


def test_no_place() -> None:
    assert place(ValueError()) is None
    assert list(traceback(ValueError("x"), any_text)) == []


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (ValueError(), False),
        (LocalError(), True),
        (ConfigError("x"), True),
        (HandlerTimeout(), True),
    ],
)
def test_texts(error: BaseException, shown: bool) -> None:
    assert (any_text(error), own_text(error), no_text(error)) == (True, shown, False)


def explicit() -> None:
    try:
        of_its_own()
    except ValueError as error:
        raise LocalError("no") from error


def implicit() -> None:
    try:
        of_its_own()
    except ValueError:
        raise LocalError("no")  # noqa: B904  as authors do


def suppressed() -> None:
    try:
        of_its_own()
    except ValueError:
        raise LocalError("no") from None


BEHIND: list[dict[str, object]] = [
    {"at": f"{HERE}:{line(of_its_own)}", "in": "of_its_own"},
    {"at": "/usr/local/libexec/smtpd/filter-some:2", "in": "fail"},
]


@pytest.mark.parametrize("call", [explicit, implicit, suppressed])
@pytest.mark.parametrize("shows", [any_text, own_text])
def test_calls_and_causes(call: Callable[[], None], shows: Callable[..., bool]) -> None:
    error = caught(call)
    own: dict[str, object] = {"at": f"{HERE}:{line(call, 4)}", "in": call.__name__}
    first: dict[str, object] = {"at": f"{HERE}:{line(call, 2)}", "in": call.__name__}
    behind = error.__context__
    reason = behind if shows is any_text else None
    expected = [own]
    if call is not suppressed:
        expected += [{"cause": "ValueError", "reason": reason}, first, *BEHIND]
    assert list(traceback(error, shows)) == expected


def test_the_parts_of_a_group() -> None:
    group = ExceptionGroup("many", [ValueError("x"), ExceptionGroup("more", [KeyError("y")])])
    shown = list(traceback(group, no_text))
    kinds = ["ValueError", "ExceptionGroup", "KeyError"]
    assert shown == [{"part": kind, "reason": None} for kind in kinds]


def test_a_circle_and_a_long_chain_end() -> None:
    first, second = ValueError(), KeyError()
    first.__cause__, second.__cause__ = second, first
    assert list(traceback(first, no_text)) == [{"cause": "KeyError", "reason": None}]
    chain = error = ValueError()
    for _ in range(100):
        error.__cause__ = error = ValueError()
    assert len(list(traceback(chain, no_text))) == CAUSES_MAX


def test_of_a_deep_recursion_the_deepest_calls_are_shown() -> None:
    def fall() -> None:
        fall()

    shown = list(traceback(caught(fall), any_text))
    assert sys.getrecursionlimit() > FRAMES_MAX == len(shown)
    assert shown[-1] == {
        "at": f"{HERE}:{line(fall)}",
        "in": "test_of_a_deep_recursion_the_deepest_calls_are_shown.<locals>.fall",
    }
