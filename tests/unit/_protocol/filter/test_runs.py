"""Bytes to runs: lines of one message that stand together are taken together."""

from typing import Any, cast

import pytest

from opensmtpd._protocol.filter.data_lines import Transfers
from opensmtpd._protocol.filter.message import Message
from opensmtpd._protocol.filter.runs import Runs
from opensmtpd._protocol.filter.session_state import SessionState
from opensmtpd._protocol.filter.spool import Budget
from opensmtpd.filter import Session
from unit.support.talk import M, S, data, report, request

OTHER = b"00000000000000aa"


class Seen:
    """Stands in for the transfers and the connection: it notes what it is given."""

    def __init__(self) -> None:
        self.taken: list[Any] = []
        self.runs = Runs(cast(Transfers, self), self.line, lambda *_, **__: None)
        self.states = {id: SessionState(id, Session(id.decode(), ())) for id in (S, OTHER)}

    def line(self, line: bytes) -> bool:
        if b"|data-line|" not in line:
            self.taken.append(line)
            return True
        state = self.states[line.split(b"|")[5]]
        message = Message(state.id, M, Budget())
        self.runs.begin(line, line.rindex(b"|") + 1, state, message)
        return False

    def receive(self, state: SessionState, message: Message, lines: list[bytes]) -> None:
        self.taken.append((state.id, lines))

    def say(self, stream: bytes, size: int) -> list[Any]:
        for at in range(0, len(stream), size):
            self.runs.waiting.append(stream[at : at + size])
            self.runs.feed()
        taken, self.taken = self.taken, []
        return taken


NOOP = request(b"noop")
BOTH = (
    data(b"a", b"b")
    + data(b"c", session=OTHER)
    + NOOP
    + data(b"d", b".")
    + data(b".", session=OTHER)
)


def test_lines_that_stand_together_are_one_run() -> None:
    assert Seen().say(BOTH, len(BOTH)) == [
        (S, [b"a", b"b"]),
        (OTHER, [b"c"]),
        NOOP[:-1],
        (S, [b"d", b"."]),
        (OTHER, [b"."]),
    ]


@pytest.mark.parametrize("size", [1, 7, 100])
def test_cuts_make_no_difference_but_to_the_runs(size: int) -> None:
    lines: dict[bytes, list[bytes]] = {S: [], OTHER: []}
    for taken in Seen().say(BOTH, size):
        if isinstance(taken, tuple):
            lines[taken[0]] += taken[1]
        else:
            assert taken == NOOP[:-1]
    assert lines == {S: [b"a", b"b", b"d", b"."], OTHER: [b"c", b"."]}


def test_the_final_dot_ends_what_is_known_of_a_message() -> None:
    seen = Seen()
    seen.say(data(b"a", b"."), 1000)
    assert seen.states[S].streams == {}
    assert seen.say(data(b"x"), 1000) == [(S, [b"x"])]  # another message: asked about anew
    assert len(seen.states[S].streams) == 1


def test_a_session_that_is_over_leaves_nothing() -> None:
    seen = Seen()
    seen.say(data(b"a") + data(b"b", session=OTHER), 1000)
    seen.runs.end(seen.states[S])
    assert (len(seen.states[S].streams), len(seen.states[OTHER].streams)) == (0, 1)
    assert seen.say(data(b"c", session=OTHER), 1000) == [(OTHER, [b"c"])]


def test_a_line_that_is_too_long_is_passed_over() -> None:
    seen = Seen()
    late = report(b"tx-reset", b"x")
    assert seen.say(data(b"x" * (1 << 20)) + late, 4096) == [late[:-1]]
