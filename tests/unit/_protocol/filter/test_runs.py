"""Bytes to runs: lines of one message that come in one read are taken together."""

from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

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
        self.runs = Runs(cast(Transfers, self), self.line, self.line, lambda *_, **__: None)
        self.states = {id: SessionState(id, Session(id.decode(), ())) for id in (S, OTHER)}

    def line(self, line: bytes) -> bool:
        fields = line.split(b"|", 7)
        state = self.states[fields[5]]
        self.runs.flush(state)
        if fields[4] != b"data-line":
            self.taken.append(line)
            return True
        *_, token, payload = fields
        message = Message(state.id, token, Budget())
        self.runs.begin(line, len(line) - len(payload), state, message)
        return False

    def receive(self, state: SessionState, message: Message, lines: list[bytes]) -> None:
        self.taken.append((message.prefix, lines))

    def say(self, stream: bytes, size: int) -> list[Any]:
        for at in range(0, len(stream), size):
            self.runs.waiting.append(stream[at : at + size])
            self.runs.feed()
        taken, self.taken = self.taken, []
        return taken


NOOP = request(b"noop")
PLACE = b"1f083015d732b8de"
"""The token of the data-lines of the same filter at another place of a chain."""


def prefix(session: bytes, token: bytes = M) -> bytes:
    """Return what the lines of a message begin with on their way back: it names the message."""
    return b"filter-dataline|%s|%s|" % (session, token)


def test_lines_of_one_read_are_one_run() -> None:
    stream = data(b"a", b"b") + data(b"c", session=OTHER) + data(b"d") + data(b".", session=OTHER)
    assert Seen().say(stream + data(b"."), 10_000) == [
        (prefix(S), [b"a", b"b", b"d", b"."]),
        (prefix(OTHER), [b"c", b"."]),
    ]


def test_a_run_is_taken_before_another_line_of_its_session() -> None:
    stream = data(b"c", session=OTHER) + data(b"a") + NOOP + data(b"b") + data(b"d", session=OTHER)
    assert Seen().say(stream, 10_000) == [
        (prefix(S), [b"a"]),
        NOOP[:-1],
        (prefix(OTHER), [b"c", b"d"]),
        (prefix(S), [b"b"]),
    ]


def test_a_run_is_taken_before_one_of_another_message_of_its_session() -> None:
    lines = [data(b"a"), data(b"b", token=PLACE), data(b"c"), data(b"d", token=PLACE)]
    assert Seen().say(b"".join(lines), 10_000) == [
        (prefix(S), [b"a"]),
        (prefix(S, PLACE), [b"b"]),
        (prefix(S), [b"c"]),
        (prefix(S, PLACE), [b"d"]),
    ]


def test_lines_that_are_elsewhere_in_a_line_are_taken_in_order() -> None:
    lines = [data(b"a"), data(b"b", time=b"1795335705.1"), data(b"c"), data(b".")]
    taken = Seen().say(b"".join(lines), 10_000)
    assert [line for _, run in taken for line in run] == [b"a", b"b", b"c", b"."]


def plainly(lines: list[bytes]) -> dict[bytes, list[Any]]:
    """Return what each session says, in order: requests, and lines with their message."""
    said: dict[bytes, list[Any]] = {}
    for line in lines:
        *frame, payload = line[:-1].split(b"|", 7)
        phase, session, token = frame[4:7]
        what = (prefix(session, token), payload) if phase == b"data-line" else line[:-1]
        said.setdefault(session, []).append(what)
    return said


def in_runs(taken: list[Any]) -> dict[bytes, list[Any]]:
    """Return the same of what was taken."""
    said: dict[bytes, list[Any]] = {}
    for each in taken:
        if isinstance(each, bytes):
            said.setdefault(each.split(b"|")[5], []).append(each)
        else:
            name, run = each
            said.setdefault(name.split(b"|")[1], []).extend((name, line) for line in run)
    return said


@st.composite
def speeches(draw: st.DrawFn) -> list[bytes]:
    """Return lines of two sessions in any order, one of which has a message at two places."""
    payloads = st.lists(st.sampled_from([b"", b"a", b"..", b"b|c", b"filter|x"]), max_size=5)
    speakers = []
    for session, token in ((S, M), (S, PLACE), (OTHER, M)):
        lines = [*draw(payloads), b"."]
        speakers.append([data(line, session=session, token=token) for line in lines])
    speakers += [[request(b"noop", session=each)] * draw(st.integers(0, 3)) for each in (S, OTHER)]
    turns = [each for each, lines in enumerate(speakers) for _ in lines]
    return [speakers[each].pop(0) for each in draw(st.permutations(turns))]


@given(speeches(), st.integers(1, 2000))
def test_no_order_of_sessions_and_no_cut_changes_what_a_session_says(
    lines: list[bytes], size: int
) -> None:
    assert in_runs(Seen().say(b"".join(lines), size)) == plainly(lines)


@given(speeches())
def test_byte_by_byte_changes_nothing(lines: list[bytes]) -> None:
    assert in_runs(Seen().say(b"".join(lines), 1)) == plainly(lines)


def test_the_final_dot_ends_what_is_known_of_a_message() -> None:
    seen = Seen()
    seen.say(data(b"a", b"."), 1000)
    assert seen.states[S].streams == {}
    assert seen.say(data(b"x"), 1000) == [(prefix(S), [b"x"])]  # another message: asked about anew
    assert len(seen.states[S].streams) == 1


def test_a_session_that_is_over_leaves_nothing() -> None:
    seen = Seen()
    seen.say(data(b"a") + data(b"b", session=OTHER), 1000)
    seen.runs.end(seen.states[S])
    assert (len(seen.states[S].streams), len(seen.states[OTHER].streams)) == (0, 1)
    assert seen.say(data(b"c", session=OTHER), 1000) == [(prefix(OTHER), [b"c"])]


def test_a_line_that_is_too_long_is_passed_over() -> None:
    seen = Seen()
    late = report(b"tx-reset", b"x")
    assert seen.say(data(b"x" * (1 << 20)) + late, 4096) == [late[:-1]]
