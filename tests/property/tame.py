"""Filters whose answers depend on nothing but what they are asked."""

from collections.abc import Callable, Sequence
from typing import Any
from zlib import crc32

from opensmtpd.filter import (
    JUNK,
    PROCEED,
    Disconnect,
    EditedMessage,
    Filter,
    HeldMessage,
    MessageHandler,
    Reject,
    Rewrite,
    StreamedMessage,
)


class Copied(StreamedMessage):
    """Returns the same lines in a new list: they are taken for edited ones."""

    def header(self, lines: list[bytes]) -> list[bytes]:
        return list(lines)

    def body(self, lines: list[bytes]) -> list[bytes]:
        return list(lines)


class Sum(HeldMessage):
    """Puts checksums in front."""

    def __init__(self) -> None:
        self.head = self.text = 0

    def header(self, lines: list[bytes]) -> None:
        for line in lines:
            self.head = crc32(line + b"\n", self.head)

    def body(self, lines: list[bytes]) -> None:
        for line in lines:
            self.text = crc32(line + b"\n", self.text)

    def end(self) -> Sequence[bytes]:
        return [b"X-Sum: %08x %08x" % (self.head, self.text), b".."]


class Double(StreamedMessage):
    """Says some lines twice, drops some, adds some."""

    def header(self, lines: list[bytes]) -> list[bytes]:
        return [line for line in lines if not line.startswith(b"X")]

    def body(self, lines: list[bytes]) -> list[bytes]:
        return [line for line in lines for _ in range(1 + line.startswith(b"."))]

    def end(self) -> list[bytes]:
        return [b"-- ", b"."]


class Edit(EditedMessage):
    """Makes some edit of each kind, by what it sees."""

    def __init__(self) -> None:
        self.sum = 0

    def header(self, lines: list[bytes]) -> None:
        for line in lines:
            self.sum = crc32(line + b"\n", self.sum)

    body = header

    def end(self) -> None:
        for field in self.named(b"subject"):
            self.replace(field, [field.value, b" .folded"])
        self.insert(self.sum % 3, b".X-Sum", b"%08x" % self.sum)
        for field in self.fields[self.sum % 4 :: 3]:
            self.remove(field)
        if self.sum % 5 == 0:
            self.replace_body([b".", b"new"])
        if self.sum % 2 == 0:
            self.append_body([b"-- ", b"."])


class Calm(Filter):
    """Lets everything pass; its messages go the way of the kind that it is made for."""

    def __init__(self, kind: str = "") -> None:
        self.kind = kind

    def on_message(self, session: object) -> MessageHandler | None:
        handlers: dict[str, Callable[[], MessageHandler]] = {
            "held": HeldMessage,
            "edited": EditedMessage,
            "streamed": StreamedMessage,
            "copied": Copied,
            "sum": Sum,
            "edit": Edit,
            "double": Double,
        }
        return handlers[self.kind]() if self.kind else None


class Tame(Calm):
    """Decides, by the request and the session alone."""


def _asked(self: Tame, session: Any, request: Any) -> Any:
    dice = crc32(repr(request[1:]).encode() + session.id.encode()) % 16
    if dice < 10:
        return PROCEED
    if dice < 12:
        return Reject(450, "4.7.1 Not now")
    if dice == 12:
        return Disconnect(550, "5.7.1 Not ever")
    phase = type(request).__name__
    if dice == 13 and phase in ("MailFrom", "RcptTo"):
        return Rewrite(b"other@example.org")
    return PROCEED if phase in ("Commit", "Rset", "Quit", "Noop") else JUNK


for name in "helo mail_from rcpt_to data commit rset quit noop".split():  # noqa: SIM905
    setattr(Tame, f"on_{name}", _asked)
