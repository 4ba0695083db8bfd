"""A connection is replaced within a question, once, and dropped after a failure."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd.backends.network.connection import (
    Fault,
    Reconnecting,
    ServerQuestion,
    ServerReply,
)
from opensmtpd.errors import ConfigError, HandlerTimeout, ServerLate, ServerLost, ServerRefused

BOB = [["alias", "bob"]]


class Scripted:
    """Does what ``to_come`` says, a word for each call, and answers when it is empty."""

    def __init__(self, *to_come: object) -> None:
        self.to_come = list(to_come)
        self.calls: list[str] = []
        self.untils: list[float] = []

    def call(self, name: str, until: float) -> object:
        self.calls.append(name)
        self.untils.append(until)
        what = self.to_come.pop(0) if self.to_come else None
        if isinstance(what, BaseException):
            raise what
        return what

    def connect(self, until: float) -> None:
        self.call("connect", until)

    def ask(self, questions: Sequence[ServerQuestion], until: float) -> list[ServerReply]:
        found = self.call("ask", until)
        return found if isinstance(found, list) else [key for _, key in questions]

    def check(self, until: float) -> list[Fault]:
        self.call("check", until)
        return []

    def close(self) -> None:
        self.calls.append("close")


def test_it_connects_with_the_first_question_and_stays() -> None:
    asker = Reconnecting(connection := Scripted())
    assert asker.ask(BOB, 7.0) == ["bob"]
    assert asker.ask(BOB, 8.0) == ["bob"]
    assert asker.check(9.0) == []
    assert connection.calls == ["connect", "ask", "ask", "check"]
    assert connection.untils == [7.0, 7.0, 8.0, 9.0]
    asker.close()
    assert asker.ask(BOB, 8.0) == ["bob"]
    assert connection.calls[4:] == ["close", "connect", "ask"]


def test_one_that_was_closed_meanwhile_is_replaced_within_the_question() -> None:
    asker = Reconnecting(connection := Scripted(None, None, ServerLost("closed")))
    asker.ask(BOB, 7.0)
    assert asker.ask(BOB, 8.0) == ["bob"]
    assert connection.calls == ["connect", "ask", "ask", "close", "connect", "ask"]
    assert connection.untils[2:] == [8.0, 8.0, 8.0]


def test_but_once() -> None:
    asker = Reconnecting(connection := Scripted(None, None, ServerLost("a"), None, ServerLost("b")))
    asker.ask(BOB, 7.0)
    with pytest.raises(ServerLost, match="b"):
        asker.ask(BOB, 8.0)
    assert connection.calls[2:] == ["ask", "close", "connect", "ask", "close"]


def test_a_new_one_that_is_lost_is_not_replaced() -> None:
    asker = Reconnecting(connection := Scripted(None, ServerLost("a")))
    with pytest.raises(ServerLost, match="a"):
        asker.ask(BOB, 8.0)
    assert connection.calls == ["connect", "ask", "close"]


@pytest.mark.parametrize("fault", [ServerLate("x"), KeyError("x"), HandlerTimeout("x")])
def test_after_other_failures_it_is_closed_and_nothing_is_asked_again(fault: BaseException) -> None:
    asker = Reconnecting(connection := Scripted(None, None, fault))
    asker.ask(BOB, 7.0)
    with pytest.raises(type(fault)):
        asker.ask(BOB, 8.0)
    assert connection.calls[2:] == ["ask", "close"]
    assert asker.ask(BOB, 8.0) == ["bob"]
    assert connection.calls[4:] == ["connect", "ask"]


def test_a_server_that_refuses_a_question_keeps_its_connection() -> None:
    asker = Reconnecting(connection := Scripted(None, ServerRefused("no such table")))
    with pytest.raises(ServerRefused):
        asker.ask(BOB, 8.0)
    assert asker.ask(BOB, 8.0) == ["bob"]
    assert connection.calls == ["connect", "ask", "ask"]


def test_a_login_that_is_refused_is_a_server_lost() -> None:
    asker = Reconnecting(connection := Scripted(ServerRefused("wrong password")))
    with pytest.raises(ServerLost, match="wrong password"):
        asker.ask(BOB, 8.0)
    assert connection.calls == ["connect", "close"]


def test_a_configuration_that_cannot_connect() -> None:
    asker = Reconnecting(connection := Scripted(ConfigError("no such file")))
    with pytest.raises(ConfigError):
        asker.ask(BOB, 8.0)
    assert connection.calls == ["connect", "close"]


def test_an_error_of_the_system_that_the_connection_did_not_foresee() -> None:
    asker = Reconnecting(Scripted(None, BrokenPipeError(32, "Broken pipe")))
    with pytest.raises(ServerLost, match="Broken pipe"):
        asker.ask(BOB, 8.0)
    asker = Reconnecting(Scripted(OSError("a secret")))
    with pytest.raises(ServerLost, match=r"^OSError$"):
        asker.ask(BOB, 8.0)


@pytest.mark.parametrize("replies", [[], ["bob", "carol"]])
def test_another_number_of_replies_closes_it(replies: list[str]) -> None:
    asker = Reconnecting(connection := Scripted(None, replies))
    with pytest.raises(ServerLost, match="replies to 1 questions"):
        asker.ask(BOB, 8.0)
    assert connection.calls == ["connect", "ask", "close"]


class Pipe:
    """A server whose late answers stay in the connection until it is closed."""

    def __init__(self) -> None:
        self.left: list[str] = []
        self.open = False
        self.fault = "ok"

    def connect(self, until: float) -> None:
        if self.fault == "no-connection":
            raise ServerLost("refused")
        self.open, self.left = True, []

    def ask(self, questions: Sequence[ServerQuestion], until: float) -> list[ServerReply]:
        assert self.open
        self.left += [key for _, key in questions]
        if self.fault == "late":
            raise ServerLate("late")
        if self.fault == "cut":
            del self.left[0]
            raise ServerLost("in the middle")
        if self.fault == "bug":
            raise ValueError
        replies = [self.left.pop(0) for _ in questions]
        if self.fault == "refused":
            raise ServerRefused("no")
        return replies[: len(replies) - (self.fault == "short")]

    def check(self, until: float) -> list[Fault]:
        return []

    def close(self) -> None:
        self.open = False


FAULTS = ["ok", "late", "cut", "bug", "refused", "short", "no-connection"]


@given(st.lists(st.tuples(st.sampled_from(FAULTS), st.integers(1, 3)), max_size=30))
def test_no_answer_for_another_key_whatever_fails(steps: list[tuple[str, int]]) -> None:
    asker = Reconnecting(server := Pipe())
    for number, (fault, count) in enumerate(steps):
        keys = [f"{number}.{each}" for each in range(count)]
        server.fault = fault
        try:
            replies = asker.ask([["alias", key] for key in keys], 8.0)
        except (ServerLate, ServerLost, ServerRefused, ValueError):
            assert fault != "ok"
        else:
            assert replies == keys
