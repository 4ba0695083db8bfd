"""Filters and message handlers that do what a test tells them to."""

from collections.abc import Callable
from typing import Any, TypeAlias

import pytest

from opensmtpd.answer import Offload
from opensmtpd.filter import (
    PROCEED,
    EditedMessage,
    Filter,
    HeldMessage,
    Reject,
    Session,
    StreamedMessage,
)
from unit.support.talk import TEMPFAIL, Talk, report, request

Act: TypeAlias = Callable[[], Any]

OTHER = b"1718c5e887ba5b41"
"""Another session."""
CONNECT = request(b"connect", b"localhost|127.0.0.1")
DISCONNECT = report(b"link-disconnect")
COMMIT = request(b"commit")
MAIL = (b"From: a@b", b"Subject: |", b"", b"..dot", b"text \xff")
NO = Reject(550, "5.7.1 No")
NO_LINE = b"reject|550 5.7.1 No"

CUTS = pytest.mark.parametrize("size", [0, 1, 7, 200], ids=["whole", "bytewise", "by 7", "by 200"])
"""Bytes that the protocol is given at a time."""
POLICIES = pytest.mark.parametrize("policy", ["tempfail", "pass"])
BOTH = pytest.mark.parametrize(
    ("policy", "failure"), [("tempfail", TEMPFAIL), ("pass", b"proceed")]
)
"""The policy for failures, and what it answers."""


def explode(error: BaseException) -> Any:
    """Raise, where only an expression will do."""
    raise error


async def later(act: Act) -> Any:
    """Do it in a coroutine."""
    return act()


WAYS: dict[str, Callable[[Act], Any]] = {
    "plain": lambda act: act(),
    "offload": Offload,
    "async": later,
}
"""How a handler may come to its answer."""


def finish(talk: Talk) -> bytes:
    """Run all jobs that wait; return what is answered."""
    return b"".join(talk.finish(job) for job in talk.protocol.dispatcher.take_jobs())


class Answers(Filter):
    """Does in every phase what it was told to."""

    def __init__(self, act: Act) -> None:
        self.act = act
        self.asked: list[object] = []

    def on_connect(self, session: Session, request: Any) -> Any:
        self.asked.append(request)
        return self.act()

    on_helo = on_starttls = on_auth = on_mail_from = on_rcpt_to = on_data = on_connect
    on_commit = on_rset = on_quit = on_noop = on_help = on_connect


class Messages(Filter):
    """Has each message seen by what ``make`` returns."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self.make = make

    def on_message(self, session: Session) -> Any:
        return self.make()

    def on_noop(self, session: Session, request: Any) -> Any:
        return PROCEED


class Sign(HeldMessage):
    """Puts in front how many lines it saw, the way it is told to."""

    def __init__(self, way: Callable[[Callable[[], Any]], Any] = lambda act: act()) -> None:
        self.way = way
        self.count = 0

    def header(self, lines: list[bytes]) -> None:
        self.count += len(lines)

    body = header

    def end(self) -> Any:
        return self.way(lambda: [b"X-Lines: %d" % self.count])


class Shout(StreamedMessage):
    def body(self, lines: list[bytes]) -> list[bytes]:
        return [line.upper() for line in lines]

    def end(self) -> list[bytes]:
        return [b"."]


class At(HeldMessage):
    """Does something at one of its calls."""

    def __init__(self, place: str, act: Callable[[], Any]) -> None:
        self.place, self.act = place, act

    def header(self, lines: list[bytes]) -> None:
        if self.place == "header":
            self.act()

    def body(self, lines: list[bytes]) -> None:
        if self.place == "body":
            self.act()

    def end(self) -> Any:
        return self.act() if self.place == "end" else ()


class EditAt(EditedMessage):
    """The same for a message that is edited: what it did before it fails must leave no trace."""

    def __init__(self, place: str, act: Callable[[], Any]) -> None:
        self.place, self.act = place, act

    def header(self, lines: list[bytes]) -> None:
        if self.place == "header":
            self.act()

    def body(self, lines: list[bytes]) -> None:
        if self.place == "body":
            self.act()

    def end(self) -> Any:
        if self.place != "end":
            return None
        for field in self.fields:
            self.remove(field)
        self.prepend(b"X-Half", b"done")
        self.replace_body([b"half"])
        return self.act()


class StreamAt(StreamedMessage):
    def __init__(self, place: str, act: Callable[[], Any]) -> None:
        self.place, self.act = place, act

    def header(self, lines: list[bytes]) -> Any:
        return self.act() if self.place == "header" else lines

    def body(self, lines: list[bytes]) -> Any:
        return self.act() if self.place == "body" else lines

    def end(self) -> Any:
        return self.act() if self.place == "end" else []


def awry(kind: "Kind", place: str, act: Callable[[], Any]) -> Filter:
    return Messages(act if place == "on_message" else lambda: kind(place, act))


PLACES = pytest.mark.parametrize("place", ["on_message", "header", "body", "end"])
KINDS = pytest.mark.parametrize("kind", [At, StreamAt, EditAt])
Kind = type[At] | type[StreamAt] | type[EditAt]
