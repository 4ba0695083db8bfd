"""Mistakes in the methods of filters, tables and message handlers, found with the class."""

from collections.abc import Callable
from functools import partial, partialmethod, wraps
from typing import Any

import pytest

from opensmtpd._methods import any_coroutine
from opensmtpd.errors import LocalError
from opensmtpd.filter import EditedMessage, Filter, HeldMessage, StreamedMessage
from opensmtpd.table import Table
from opensmtpd.timers import every


async def waits(self: object, *_: object) -> None:
    """Stand for a method that is ``async def``."""


async def yields(self: object, *_: object) -> Any:
    """Stand for an asynchronous generator."""
    yield


def make(base: type, name: str, method: object) -> type:
    return type("Some", (base,), {name: method})


def refusal(base: type, name: str, method: object) -> str:
    """Return the text with which a class is refused that has this method, or mixes it in."""
    with pytest.raises(LocalError) as caught:
        make(base, name, method)
    with pytest.raises(LocalError) as mixed:
        type("Some", (type("Mixin", (), {name: method}), base), {})
    assert str(mixed.value) == str(caught.value)
    return str(caught.value)


# --- what is never awaited ------------------------------------------------------------------------

PLAIN = [
    (Filter, "on_message"),
    (Filter, "reload"),
    (Table, "patterns"),
    (Table, "snapshot"),
    *((kind, name) for kind in (HeldMessage, EditedMessage) for name in ("header", "body")),
    *((StreamedMessage, name) for name in ("header", "body", "end")),
]


@pytest.mark.parametrize(("base", "name"), PLAIN)
@pytest.mark.parametrize("method", [waits, yields])
def test_what_is_always_plain(base: type, name: str, method: object) -> None:
    text = refusal(base, name, method)
    assert text == f"Some.{name}: it is never awaited; write def, not async def"


@pytest.mark.parametrize(
    ("base", "name"),
    [
        (Filter, "on_data"),
        (Filter, "start"),
        (Table, "lookup"),
        (Table, "update"),
        (HeldMessage, "end"),
        (EditedMessage, "end"),
    ],
)
def test_what_may_be_awaited(base: type, name: str) -> None:
    assert getattr(make(base, name, waits), name) is waits


# --- what cannot be called ------------------------------------------------------------------------

REQUEST: dict[str, Callable[..., Any]] = {
    "too few": lambda self, session: 0,
    "none": lambda: 0,
    "too many": lambda self, session, request, more: 0,
    "a keyword without a default": lambda self, session, request, *, strict: 0,
    "too few for all": lambda self, a, b, c, *rest: 0,
}
FITTING: dict[str, object] = {
    "as it is": lambda self, session, request: 0,
    "by position": lambda self, session, request, /: 0,
    "other names": lambda me, its, it: 0,
    "a default": lambda self, session, request, more=None: 0,
    "keywords with defaults": lambda self, session, request, *, strict=True, **more: 0,
    "the rest": lambda *all: 0,
    "the rest behind self": lambda self, *rest, **named: 0,
    "static": staticmethod(lambda session, request: 0),
    "of the class": classmethod(lambda cls, session, request: 0),
    "partial": partial(lambda one, session, request: 0, 1),
    "partialmethod": partialmethod(lambda self, one, session, request: 0, 1),
    "bound": [].append,
    "an object": type("Callable", (), {"__call__": lambda self, *_: 0})(),
}


@pytest.mark.parametrize("method", REQUEST.values(), ids=REQUEST)
def test_a_handler_that_cannot_be_called(method: object) -> None:
    text = refusal(Filter, "on_data", method)
    assert text == "Some.on_data: it cannot be called; write def on_data(self, session, request)"


@pytest.mark.parametrize("method", FITTING.values(), ids=FITTING)
def test_a_handler_that_can_be_called(method: object) -> None:
    make(Filter, "on_data", method)


@pytest.mark.parametrize(
    ("base", "name", "method", "remedy"),
    [
        (Filter, "on_message", lambda self, session, request: 0, "on_message(self, session)"),
        (Filter, "on_tx_mail", lambda self, session: 0, "on_tx_mail(self, session, report)"),
        (Filter, "on_data", staticmethod(lambda self, session, request: 0), None),
        (Filter, "on_data", classmethod(lambda session, request: 0), None),
        (Filter, "start", lambda self, options: 0, "start(self)"),
        (Filter, "reload", lambda: 0, "reload(self)"),
        (Table, "lookup", lambda self, key: 0, "lookup(self, service, key)"),
        (Table, "update", lambda self, service: 0, "update(self)"),
        (HeldMessage, "header", lambda self: 0, "header(self, lines)"),
        (EditedMessage, "end", lambda self, lines: 0, "end(self)"),
        (StreamedMessage, "body", lambda self, lines, more: 0, "body(self, lines)"),
    ],
)
def test_other_methods(base: type, name: str, method: object, remedy: str | None) -> None:
    remedy = remedy or "on_data(self, session, request)"
    assert refusal(base, name, method) == (f"Some.{name}: it cannot be called; write def {remedy}")


def test_a_wrapper_is_what_is_called() -> None:
    def short(self: object, session: object) -> None: ...

    @wraps(short)
    def wrapper(self: object, session: object, request: object) -> None: ...

    make(Filter, "on_data", wrapper)


def test_a_class_below_one_that_was_mended() -> None:
    class Mixin:
        def on_data(self, session: object) -> None: ...

    class Mended(Filter):
        def on_data(self, session: object, request: object) -> Any: ...

    class Both(Mended, Mixin):  # type: ignore[misc]  # the mistake under test
        pass

    assert Both.on_data is Mended.on_data


# --- timers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("base", [Filter, Table])
@pytest.mark.parametrize("method", [lambda self, x: 0, lambda: 0, lambda self, *, x: 0])
def test_a_timer_that_needs_arguments(base: type, method: Any) -> None:
    text = refusal(base, "tick", every(5)(method))
    assert text == "Some.tick: @every calls it without arguments; write def tick(self)"


def test_a_timer_that_is_a_handler() -> None:
    timer: Any = every(5)
    text = refusal(Filter, "on_commit", timer(lambda self, session, request: 0))
    assert text == ("Some.on_commit: @every calls it without arguments; decorate another method")


@pytest.mark.parametrize(
    "method",
    [lambda self: 0, lambda self, x=1: 0, lambda *all: 0, lambda self, **named: 0, waits],
)
@pytest.mark.parametrize("base", [Filter, Table])
def test_a_timer(base: type, method: Any) -> None:
    make(base, "tick", every(5)(method))


def test_a_timer_whose_argument_a_wrapper_gives() -> None:
    def tick(self: object, connection: object) -> None: ...

    timer: Any = every(5)
    marked = timer(tick)

    @wraps(marked)
    def wrapper(self: object) -> None:
        marked(self, 1)

    assert vars(wrapper)["every_seconds"] == 5
    make(Filter, "tick", wrapper)
    make(Filter, "tick", staticmethod(timer(lambda: 0)))


# --- message handlers that are misspelt -----------------------------------------------------------

KINDS = pytest.mark.parametrize("kind", [HeldMessage, EditedMessage, StreamedMessage])


@KINDS
@pytest.mark.parametrize(
    ("name", "meant", "method"),
    [
        ("heder", "header", lambda self, lines: lines),
        ("on_body", "body", lambda self, lines: lines),
        ("ends", "end", lambda self: []),
        ("ends", "end", waits),
    ],
)
def test_a_misspelt_method(kind: type, name: str, meant: str, method: object) -> None:
    assert refusal(kind, name, method) == (
        f"Some.{name}: it is never called, and neither header, body nor end is overridden;"
        f" did you mean {meant}?"
    )


@KINDS
def test_methods_that_are_the_authors(kind: type) -> None:
    type("Nothing", (kind,), {})
    make(kind, "count", lambda self: 0)
    make(kind, "_ends", lambda self: 0)
    make(kind, "ends", ["no method"])
    make(kind, "send", lambda self, to: 0)  # not what ``end`` could be
    type("Some", (kind,), {"ends": lambda self: 0, "body": lambda self, lines: lines})


def test_a_coroutine_in_any_class_below() -> None:
    class Base:
        async def own(self) -> None:
            """Counts for nobody below."""

    class Plain(Base):
        def method(self) -> None: ...

    class Mixin:
        async def hidden(self) -> None: ...

    class Mixed(Plain, Mixin):
        def hidden(self) -> None: ...  # type: ignore[override]

    assert not any_coroutine(Base)

    class Deep(Mixed):
        @classmethod
        async def later(cls) -> None: ...

    assert any_coroutine(Base)
    assert any_coroutine(Plain)
    assert not any_coroutine(Deep)
