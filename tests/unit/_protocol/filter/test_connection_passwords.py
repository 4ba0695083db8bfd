"""What AUTH carries is never in the log, whatever a handler does with it."""

from collections.abc import Callable
from typing import Any

import pytest

from opensmtpd._protocol.filter.data_lines import Policy
from opensmtpd.errors import LocalError, Refused
from opensmtpd.filter import PROCEED, Filter, Reject, Rewrite, Session, events
from unit.support.handlers import BOTH, WAYS, explode, finish
from unit.support.talk import T, Talk, report, request, result

SECRET = b"AGFsaWNlAHNlY3JldA=="


class Leaky(Filter):
    """Does with passwords all that it should not."""

    act: Callable[[Any], Any]

    def on_auth(self, session: Session, request: events.Auth) -> Any:
        return type(self).act(request)

    def on_protocol_client(self, session: Session, report: events.ProtocolClient) -> Any:
        return type(self).act(report)


def raises(kind: Callable[[str], BaseException]) -> Callable[[Any], Any]:
    return lambda request: explode(kind(request[1].decode()))


LEAKS: dict[str, Callable[[Any], Any]] = {
    "the text of an exception": raises(ValueError),
    "a key": raises(KeyError),
    "an exit": raises(SystemExit),
    "a local error": raises(LocalError),
    "an error's cause": lambda request: explode(RuntimeError(request)),
    "bytes": lambda request: request[1],
    "text": lambda request: request[1].decode(),
    "the request": lambda request: request,
    "a list": lambda request: [request[1]],
    "a rewrite": lambda request: Rewrite(request[1]),
    "a reply that is none": lambda request: Reject(550, request[1].decode() + "\n"),
    "a code that is none": lambda request: Reject(request[1].decode(), "x"),
    "refused": lambda request: explode(Refused(request[1])),
}


@BOTH
@pytest.mark.parametrize("leak", LEAKS)
@pytest.mark.parametrize("way", WAYS)
def test_no_password_in_the_log(
    way: str, leak: str, policy: Policy, failure: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    class Some(Leaky):
        act = staticmethod(lambda request: WAYS[way](lambda: LEAKS[leak](request)))

    talk = Talk(Some(), on_failure=policy)
    answer = talk.say(
        request(b"auth", b"PLAIN " + SECRET), report(b"protocol-client", b"AUTH PLAIN " + SECRET)
    )
    answer += finish(talk)
    assert answer == result(failure)
    assert SECRET.decode() not in "\n".join(talk.logged) + "".join(capfd.readouterr())
    assert "handler=on_auth" in talk.logged[0]


def test_no_password_in_the_log_of_a_line_that_makes_no_sense() -> None:
    class Some(Leaky):
        act = staticmethod(lambda request: PROCEED)

    talk = Talk(Some())
    line = request(b"auth", b"PLAIN " + SECRET)
    talk.say(
        line.replace(b"|auth|", b"|AUTH|"),
        line.replace(b"1795335705.127288", b"now"),
        line.replace(b"filter|", b"folter|"),
        line.replace(T, b""),
        line.replace(b"0.7", b"x"),
        b"AUTH PLAIN " + SECRET + b"\n",
    )
    assert [text.split()[:2] for text in talk.logged] == [
        ["line-ignored", 'reason="a'],
        ["1718c5e591926d28", "handler-failed"],
        ["line-ignored", 'reason="neither'],
        ["line-ignored", 'reason="a'],
        ["line-ignored", 'reason="not'],
        ["line-ignored", 'reason="neither'],
    ]
    assert SECRET.decode() not in "\n".join(talk.logged)
