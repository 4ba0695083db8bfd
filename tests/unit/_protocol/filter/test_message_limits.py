"""What a message handler and its answers may not be: lines too long, nonsense."""

import pytest

from opensmtpd._protocol.filter.message import ANSWER_MAX, TOO_LONG
from opensmtpd.errors import DecisionError, Refused
from opensmtpd.filter import HeldMessage, StreamedMessage
from unit.support.lone_message import LONGEST, message, sent, through

# --- long lines -----------------------------------------------------------------------------------


def test_the_longest_line() -> None:
    assert ANSWER_MAX == 65536
    for handler in (None, HeldMessage(), StreamedMessage()):
        m = message(handler)
        m.receive([b"x", b"y" * LONGEST, b"z"])
        m.close_input(())
        assert max(map(len, m.take(10**6).split(b"\n"))) == 65535


@pytest.mark.parametrize("lines", [[b"y" * 65486], [b"x", b"y" * 65534], [b"y" * 65534, b"x"]])
@pytest.mark.parametrize("handler", [None, HeldMessage(), StreamedMessage()])
def test_a_line_that_smtpd_could_not_take_back_refuses_the_message(
    handler: object, lines: list[bytes]
) -> None:
    with pytest.raises(Refused) as caught:
        message(handler).receive(lines)
    assert caught.value.decision is TOO_LONG
    assert repr(TOO_LONG) == (
        "Reject(550, '5.6.0 Message refused: a line is longer than 65485 bytes')"
    )


def test_a_line_of_the_longest_length_may_stand_beside_a_changed_one() -> None:
    class Append(StreamedMessage):
        def header(self, lines: list[bytes]) -> list[bytes]:
            return [*lines, b"X: y"]

    assert through(Append(), [b"y" * LONGEST]) == [b"y" * LONGEST, b"X: y", b"."]


def test_a_line_that_a_dot_makes_too_long() -> None:
    m = message(HeldMessage())
    m.receive([b"A: 1"])
    with pytest.raises(DecisionError, match="longer than smtpd takes"):
        m.close_input([b"." + b"x" * (LONGEST - 1)])
    m.close_input([b"." + b"x" * (LONGEST - 2)])
    assert sent(m) == [b".." + b"x" * (LONGEST - 2), b"A: 1", b"."]


# --- answers that are no lines --------------------------------------------------------------------


@pytest.mark.parametrize("nothing", [None, False, 0, "", b"", {}, iter(())])
@pytest.mark.parametrize("run", [1, 1000])
def test_a_forgotten_return_loses_no_line_unseen(nothing: object, run: int) -> None:
    class Forgetful(StreamedMessage):
        def body(self, lines: list[bytes]) -> list[bytes]:
            return nothing  # type: ignore[return-value]  # the mistake under test

    with pytest.raises(DecisionError, match=r"^body returned .*: return a list of lines$"):
        through(Forgetful(), [b"A: 1", b"", b"precious"], run)
