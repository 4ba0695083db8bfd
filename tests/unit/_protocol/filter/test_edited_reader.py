"""A held message that its handler reads: from memory, from a file, before and behind edits."""

import pytest

from opensmtpd._protocol.filter.message import Message
from opensmtpd._protocol.filter.spool import Budget
from opensmtpd.errors import LocalError
from opensmtpd.filter import EditedMessage, MessageReader
from unit.support.lone_message import message, sent

BUDGETS = pytest.mark.parametrize("memory", [0, 30, 1 << 24], ids=["file", "both", "memory"])
LINES = [b"A: 1", b"B: 2", b"\tx", b"", b"text", b"", b"..dot", b"...", b"end"]
WHOLE = b"A: 1\nB: 2\n\tx\n\ntext\n\n.dot\n..\nend\n"


class Reads(EditedMessage):
    """Reads as lines come, and once more in ``end`` when the header is edited already."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.first = self.reader()
        self.came: list[bytes] = []
        self.again: list[bytes] = []

    def header(self, lines: list[bytes]) -> None:
        self.came += parts(self.first, self.size)

    def body(self, lines: list[bytes]) -> None:
        self.came += parts(self.first, self.size)

    def end(self) -> None:
        early = self.reader()
        begun = early.read(1)
        self.remove(self.fields[0])
        self.again = [begun, *parts(early, self.size)]
        assert b"".join(parts(self.reader(), self.size)) == WHOLE


def parts(reader: MessageReader, size: int) -> list[bytes]:
    return list(iter(lambda: reader.read(size), b""))


def given(handler: EditedMessage, budget: Budget, run: int) -> Message:
    m = message(handler, budget)
    for at in range(0, len(LINES), run):
        m.receive(LINES[at : at + run])
    return m


@BUDGETS
@pytest.mark.parametrize("run", [1, 2, 3, 1000])
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_all_lines_are_read_as_they_come_and_again(memory: int, run: int, size: int) -> None:
    handler = Reads(size)
    m = given(handler, Budget(memory, memory), run)
    assert b"".join(handler.came) == WHOLE
    m.close_input(m.end())
    assert b"".join(handler.again) == WHOLE
    assert all(part.endswith(b"\n") for part in handler.came + handler.again)
    assert sent(m) == [*LINES[1:], b"."]


@BUDGETS
def test_the_bytes_that_are_left(memory: int) -> None:
    handler = Reads(1000)
    m = message(handler, Budget(memory, memory))
    reader = handler.reader()
    assert (reader.left, reader.read(10)) == (0, b"")
    m.receive(LINES[:2])
    assert (reader.left, reader.read(10)) == (10, b"A: 1\nB: 2\n")
    m.receive(LINES[2:])
    assert (reader.left, handler.reader().left) == (24, 34)
    parts(reader, 1000)
    assert (reader.left, handler.reader().left) == (0, 34)


def test_a_message_that_is_held_no_more_cannot_be_read() -> None:
    handler = Reads(1000)
    reader = handler.reader()
    with pytest.raises(LocalError, match="while it is held only"):
        reader.read(1)
    m = given(handler, Budget(), 1000)
    m.close_input(m.end())
    with pytest.raises(LocalError, match="while it is held only"):
        handler.reader().read(1)


def test_a_message_that_is_given_up_cannot_be_read() -> None:
    handler = Reads(1000)
    m = given(handler, Budget(), 1000)
    m.detach()
    with pytest.raises(LocalError, match="while it is held only"):
        _ = handler.reader().left
