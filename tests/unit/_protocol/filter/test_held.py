"""A held message by itself: what it shows, what it keeps, and what it returns."""

from typing import Any

import pytest

from opensmtpd._protocol.filter.held import Held
from opensmtpd._protocol.filter.spool import Budget, Spool
from opensmtpd.errors import DecisionError
from opensmtpd.filter import HeldMessage


class Seen(HeldMessage):
    def __init__(self) -> None:
        self.parts: list[tuple[str, list[bytes]]] = []

    def header(self, lines: list[bytes]) -> None:
        self.parts.append(("header", lines))

    def body(self, lines: list[bytes]) -> None:
        self.parts.append(("body", lines))


def test_a_run_is_kept_as_it_came_and_shown_without_dots() -> None:
    handler, spool = Seen(), Spool(Budget())
    held = Held(handler, 100, spool)
    held.receive([b"A: 1", b"", b".x"], b"A: 1\n\n..x\n")
    held.receive([b"y"], b"y\n")
    assert handler.parts == [("header", [b"A: 1"]), ("body", [b".x"]), ("body", [b"y"])]
    assert held.close([b".N: n"]) == b"..N: n\n"
    assert spool.take(100) == b"A: 1\n\n..x\ny\n"
    assert held.detach() == (b"", b"")


@pytest.mark.parametrize("answer", [None, b"x", [b"a\nb"], [b"x" * 101], {b"x"}])
def test_what_is_no_list_of_lines(answer: Any) -> None:
    with pytest.raises(DecisionError):
        Held(HeldMessage(), 100, Spool(Budget())).close(answer)


def test_a_run_that_is_answered_is_kept() -> None:
    class Answers(HeldMessage):
        def header(self, lines: list[bytes]) -> Any:
            return lines

    spool = Spool(Budget())
    with pytest.raises(DecisionError, match=r"^header returned a list: return nothing$"):
        Held(Answers(), 100, spool).receive([b"A: 1"], b"A: 1\n")
    assert spool.take(100) == b"A: 1\n"
