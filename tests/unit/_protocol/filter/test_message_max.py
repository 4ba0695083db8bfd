"""A message that is larger than the option allows: refused for good, at its edge."""

import pytest

from opensmtpd._protocol.filter.spool import Budget
from opensmtpd.filter import Filter, HeldMessage, MessageHandler, Session, StreamedMessage
from unit.support.talk import Talk, data, datalines, request, result

REFUSED = b"reject|552 5.3.4 Message refused: it is too large"
LINES = [b"Subject: x", b"", b"0123456789"]
SIZE = sum(len(line) + 1 for line in LINES)


class Plain(Filter):
    def __init__(self, kind: type[MessageHandler] | None) -> None:
        self.kind = kind

    def on_message(self, session: Session) -> MessageHandler | None:
        return None if self.kind is None else self.kind()


@pytest.mark.parametrize("size", [0, 1])
@pytest.mark.parametrize("kind", [HeldMessage, StreamedMessage])
def test_the_edge(kind: type[MessageHandler], size: int) -> None:
    talk = Talk(Plain(kind), budget=Budget(message=SIZE))
    assert talk.say(
        data(
            *LINES,
            b".",
        ),
        size=size,
    ) == datalines(*LINES, b".")
    assert talk.say(request(b"commit")) == result(b"proceed")
    large = [*LINES, b""]
    said = talk.say(data(*large, b"."), size=size)
    assert said.endswith(datalines(b"."))
    assert talk.say(request(b"commit")) == result(REFUSED)
    assert talk.logged == []
    assert talk.left()[1:] == (0, 0, 0)


def test_the_next_message_of_the_session_is_another_one() -> None:
    talk = Talk(Plain(HeldMessage), budget=Budget(message=SIZE))
    talk.say(data(*LINES, b"more", b"."), request(b"commit"))
    assert talk.say(data(*LINES, b".")) == datalines(*LINES, b".")
    assert talk.say(request(b"commit")) == result(b"proceed")


def test_no_bound_where_nobody_asks_for_one() -> None:
    talk = Talk(Plain(HeldMessage))
    lines = [b"x" * 60_000] * 40
    assert talk.say(data(*lines, b".")) == datalines(*lines, b".")
