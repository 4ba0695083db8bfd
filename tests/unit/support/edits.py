"""Messages that are edited as a test wants it."""

from collections.abc import Callable
from typing import Any

from opensmtpd.filter import EditedMessage
from unit.support.handlers import WAYS

Act = Callable[[EditedMessage], object]


class Does(EditedMessage):
    """Makes its edits the way it is told to."""

    def __init__(self, edit: Act, way: str = "plain") -> None:
        self.edit, self.way = edit, way
        self.seen: list[tuple[str, list[bytes]]] = []

    def header(self, lines: list[bytes]) -> None:
        self.seen.append(("header", lines))

    def body(self, lines: list[bytes]) -> None:
        self.seen.append(("body", lines))

    def end(self) -> Any:
        def act() -> None:
            self.edit(self)

        return WAYS[self.way](act)


def botch(handler: EditedMessage) -> None:
    """Make edits of all kinds."""
    for field in handler.fields:
        handler.remove(field)
    handler.prepend(b"X-Half", b"done")
    handler.replace_body([b"half"])
