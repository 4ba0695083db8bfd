"""The kinds of message handlers, by themselves."""

from collections.abc import Callable

import pytest

from opensmtpd.errors import LocalError
from opensmtpd.filter import EditedMessage, Field, Filter, HeldMessage, Session, StreamedMessage
from opensmtpd.testing import run_message


def test_handlers_that_override_nothing() -> None:
    assert HeldMessage().end() == ()
    assert EditedMessage().end() is None
    assert StreamedMessage().end() == []
    lines = [b"x"]
    assert StreamedMessage().header(lines) is lines
    assert StreamedMessage().body(lines) is lines


def test_a_held_message_does_nothing_by_itself() -> None:
    held = HeldMessage()
    held.header([b"A: 1"])
    held.body([b"x"])
    assert held.end() == ()


@pytest.mark.parametrize("run", [[], [b""], [b"A: 1", b"\tfolded"]])
def test_a_streamed_message_returns_the_same_runs_by_itself(run: list[bytes]) -> None:
    """The same object: the run then costs nothing."""
    streamed, before = StreamedMessage(), list(run)
    assert streamed.header(run) is run
    assert streamed.body(run) is run
    assert run == before


def test_a_streamed_message_appends_nothing_by_itself() -> None:
    streamed = StreamedMessage()
    end = streamed.end()
    assert end == []
    assert streamed.end() is not end


def test_the_two_kinds_are_not_each_other() -> None:
    assert not issubclass(StreamedMessage, HeldMessage)
    assert not issubclass(HeldMessage, StreamedMessage)


FIELD = Field(b"A: 1", 1, 2)
USES: dict[str, Callable[[EditedMessage], object]] = {
    "fields": lambda message: message.fields,
    "named": lambda message: message.named(b"A"),
    "insert": lambda message: message.insert(0, b"A", b"x"),
    "prepend": lambda message: message.prepend(b"A", b"x"),
    "append": lambda message: message.append(b"A", b"x"),
    "replace": lambda message: message.replace(FIELD, b"x"),
    "remove": lambda message: message.remove(FIELD),
    "append_body": lambda message: message.append_body([b"x"]),
    "replace_body": lambda message: message.replace_body([b"x"]),
}


@pytest.mark.parametrize("use", USES)
def test_fields_and_edits_are_there_in_the_end_only(use: str) -> None:
    tried: set[str] = set()

    class Early(EditedMessage):
        def attempt(self, place: str) -> None:
            with pytest.raises(LocalError, match=r"in its end\(\) only"):
                USES[use](self)
            tried.add(place)

        def header(self, lines: list[bytes]) -> None:
            self.attempt("header")

        def body(self, lines: list[bytes]) -> None:
            self.attempt("body")

        def end(self) -> None:
            assert self.fields

    message = Early()
    message.attempt("before")

    class Once(Filter):
        def on_message(self, session: Session) -> EditedMessage:
            return message

    assert run_message(Once()).accepted
    message.attempt("after")
    assert tried == {"before", "header", "body", "after"}


def test_fields_of_a_name() -> None:
    found: list[list[bytes]] = []

    class Named(EditedMessage):
        def end(self) -> None:
            found.extend([field.value for field in self.named(name)] for name in (b"x-a", b"X-C"))

    class Some(Filter):
        def on_message(self, session: Session) -> EditedMessage:
            return Named()

    assert run_message(Some(), b"X-A: 1\nx-A : 2\nX-B: 3\n\nX-A: 4\n").accepted
    assert found == [[b"1", b"2"], []]
