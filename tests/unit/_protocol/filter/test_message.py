"""A message in flight: header and body apart, dots undone and done, nothing else changed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd._protocol.filter.message import ENDED, HELD, OPEN, SENT
from opensmtpd._protocol.filter.spool import Budget
from opensmtpd.answer import Offload
from opensmtpd.errors import DecisionError
from opensmtpd.filter import PROCEED, HeldMessage, StreamedMessage
from unit.support.lone_message import message, sent, through


class Held(HeldMessage):
    def __init__(self) -> None:
        self.seen: list[tuple[str, list[bytes]]] = []

    def header(self, lines: list[bytes]) -> None:
        self.seen.append(("header", lines))

    def body(self, lines: list[bytes]) -> None:
        self.seen.append(("body", lines))


class Upper(StreamedMessage):
    def header(self, lines: list[bytes]) -> list[bytes]:
        return [b"X-Upper: yes", *lines]

    def body(self, lines: list[bytes]) -> list[bytes]:
        return [line.upper() for line in lines]


MAIL = [b"From: a@b", b"Subject: x", b"\tfolded", b"", b"..dot", b"text", b"", b"end"]
RUNS = pytest.mark.parametrize("run", [1, 2, 3, 1000])


@RUNS
@pytest.mark.parametrize("handler", [None, HeldMessage(), StreamedMessage()])
@pytest.mark.parametrize("lines", [MAIL, [], [b""], [b"no header", b"|"], [b"", b"body"]])
def test_untouched(handler: object, lines: list[bytes], run: int) -> None:
    assert through(handler, lines, run) == [*lines, b"."]


@RUNS
def test_header_and_body_apart_without_dot_stuffing(run: int) -> None:
    handler = Held()
    through(handler, MAIL, run)
    header = [line for part, lines in handler.seen if part == "header" for line in lines]
    body = [line for part, lines in handler.seen if part == "body" for line in lines]
    assert header == [b"From: a@b", b"Subject: x", b"\tfolded"]
    assert body == [b".dot", b"text", b"", b"end"]


def test_runs_are_shown_as_they_arrive_and_never_empty() -> None:
    handler = Held()
    m = message(handler)
    for run in ([b"A: 1", b"B: 2"], [b"C: 3", b"", b"x"], [b"y"]):
        m.receive(run)
    assert handler.seen == [
        ("header", [b"A: 1", b"B: 2"]),
        ("header", [b"C: 3"]),
        ("body", [b"x"]),
        ("body", [b"y"]),
    ]


@pytest.mark.parametrize(
    ("lines", "seen"),
    [
        ([b""], []),
        ([b"A: 1", b""], [("header", [b"A: 1"])]),
        ([b"A: 1"], [("header", [b"A: 1"])]),
        ([b"", b"x"], [("body", [b"x"])]),
        ([b"", b"", b"x"], [("body", [b"", b"x"])]),
        ([b"..", b"...", b".x"], [("header", [b".", b"..", b"x"])]),
    ],
)
def test_messages_that_lack_a_part(lines: list[bytes], seen: list[object]) -> None:
    handler = Held()
    assert through(handler, lines) == [*lines, b"."]
    assert handler.seen == seen


def test_a_held_message_waits_for_its_end_then_goes_behind_the_new_lines() -> None:
    m = message(HeldMessage())
    m.receive(list(MAIL))
    assert (m.wants_to_send(), len(m)) == (False, 46)
    m.close_input([b"DKIM-Signature: x", b"\ty", b".z"])
    assert sent(m) == [b"DKIM-Signature: x", b"\ty", b"..z", *MAIL, b"."]
    assert (m.state, m.wants_to_send(), len(m)) == (SENT, False, 0)


def test_what_is_not_held_goes_at_once() -> None:
    m = message(StreamedMessage())
    m.receive([b"A: 1"])
    assert sent(m) == [b"A: 1"]
    m.receive([b"", b"x"])
    assert sent(m) == [b"", b"x"]
    m.close_input([b"appended"])
    assert sent(m) == [b"appended", b"."]


@RUNS
def test_a_streamed_message_may_change_all(run: int) -> None:
    out = through(Upper(), [b"A: 1", b"", b"..x", b"y"], run, [b".end"])
    assert out == [b"X-Upper: yes", b"A: 1", b"", b"..X", b"Y", b"..end", b"."]


def test_a_streamed_message_may_drop_all() -> None:
    class Nothing(StreamedMessage):
        def header(self, lines: list[bytes]) -> list[bytes]:
            return []

        def body(self, lines: list[bytes]) -> list[bytes]:
            return []

    assert through(Nothing(), MAIL) == [b"", b"."]
    assert through(Nothing(), [b"x"]) == [b"."]


def test_a_handler_that_fails_midway_lets_the_run_through_untouched() -> None:
    class Broken(StreamedMessage):
        def body(self, lines: list[bytes]) -> list[bytes]:
            raise ValueError("no")

    m = message(Broken())
    with pytest.raises(ValueError, match="no"):
        m.receive([b"A: 1", b"", b"..x"])
    m.detach()
    m.receive([b"y"])
    m.close_input(())
    assert sent(m) == [b"A: 1", b"", b"..x", b"y", b"."]


@pytest.mark.parametrize("handler", [PROCEED, b"x", HeldMessage, Offload(HeldMessage), object()])
def test_what_is_no_message_handler(handler: object) -> None:
    text = r"^on_message returned (a|the class) \w+: return a message handler or None$"
    with pytest.raises(DecisionError, match=text):
        message(handler)


@pytest.mark.parametrize(
    "front",
    [None, b"X: y", "X: y", 1, {b"X: y"}, PROCEED, [b"a\nb"], [b"a\0"], ["text"], [None], [1]],
)
def test_what_is_no_list_of_lines(front: object) -> None:
    m = message(HeldMessage())
    m.receive([b"A: 1"])
    with pytest.raises(DecisionError):
        m.close_input(front)
    m.detach()
    m.close_input(())
    assert sent(m) == [b"A: 1", b"."]


# --- its state ------------------------------------------------------------------------------------


@pytest.mark.parametrize("handler", [None, StreamedMessage()])
def test_the_states_of_an_open_message(handler: object) -> None:
    m = message(handler)
    states = [m.state]
    m.receive([b"x"])
    m.take(1000)
    states.append(m.state)
    m.close_input(())
    states.append(m.state)
    m.take(1000)
    assert [*states, m.state] == [OPEN, OPEN, ENDED, SENT]


def test_the_states_of_a_held_message() -> None:
    m = message(HeldMessage())
    states = [m.state]
    m.receive([b"x"])
    assert not m.wants_to_send()
    m.close_input([b"X: y"])
    states.append(m.state)
    assert sent(m) == [b"X: y", b"x", b"."]
    assert [*states, m.state] == [HELD, ENDED, SENT]


def test_a_held_message_without_its_handler_is_open() -> None:
    m = message(HeldMessage())
    m.receive([b"x"])
    m.detach()
    assert (m.state, m.wants_to_send()) == (OPEN, True)


@pytest.mark.parametrize("handler", [None, HeldMessage()])
@pytest.mark.parametrize("closed", [False, True])
def test_any_message_can_be_discarded_and_is_never_open_again(
    handler: object, closed: bool
) -> None:
    m = message(handler)
    m.receive([b"x"])
    if closed:
        m.close_input(())
    m.discard()
    m.discard()
    m.detach()
    assert m.state == SENT
    with pytest.raises(AssertionError, match="cannot be ended after sent"):
        m.close_input(())


def test_detaching_does_not_open_an_ended_message() -> None:
    m = message(HeldMessage())
    m.close_input(())
    m.detach()
    assert m.state == ENDED


# --- the end --------------------------------------------------------------------------------------


def test_the_trailer_follows_the_final_dot() -> None:
    m = message()
    m.receive([b"x"])
    m.close_input(())
    m.trailer = b"filter-result|s|t|proceed\n"
    assert m.take(1000) == (
        b"filter-dataline|1718c5e591926d28|1f083015d732b8dd|x\n"
        b"filter-dataline|1718c5e591926d28|1f083015d732b8dd|.\n"
        b"filter-result|s|t|proceed\n"
    )


def test_dropped_lines_leave_the_final_dot() -> None:
    budget = Budget()
    m = message(HeldMessage(), budget)
    m.receive(list(MAIL))
    m.discard_lines()
    assert (len(m), budget.used) == (0, 0)
    m.close_input(())
    assert sent(m) == [b"."]


def test_a_discarded_message_sends_nothing() -> None:
    budget = Budget()
    m = message(None, budget)
    m.receive(list(MAIL))
    m.discard()
    assert (m.state, m.wants_to_send(), len(m), budget.used) == (SENT, False, 0, 0)


def test_a_message_in_a_file_comes_out_the_same() -> None:
    m = message(HeldMessage(), Budget(0, 0))
    for line in MAIL:
        m.receive([line])
    m.close_input([b"X: y"])
    assert sent(m) == [b"X: y", *MAIL, b"."]
    assert m._spool._file is None  # closed at once, not when the session ends


LINE = st.binary(max_size=8).map(lambda raw: raw.replace(b"\n", b"").replace(b"\0", b""))


@given(lines=st.lists(LINE), run=st.integers(1, 5), memory=st.integers(0, 30))
def test_stuffing_undone_is_what_the_handler_sees_and_done_again_what_goes_out(
    lines: list[bytes], run: int, memory: int
) -> None:
    class Copy(StreamedMessage):
        def header(self, lines: list[bytes]) -> list[bytes]:
            return list(lines)

        body = header

    raw = [b"." + line if line.startswith(b".") else line for line in lines]
    m = message(Copy(), Budget(memory, memory))
    for at in range(0, len(raw), run):
        m.receive(raw[at : at + run])
    m.close_input(())
    assert sent(m) == [*raw, b"."]
