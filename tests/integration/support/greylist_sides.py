"""postgrey and filter-greylist, which meet the same mail at the same times: what each makes of it.

Both have a clock that tests move. The filter runs in this process, before the model of smtpd, with
the steps of its state on SQLite.
"""

import re
from typing import Any, NamedTuple

from lab.peers.postgrey import PostgreyServer
from opensmtpd.answer import Deferred
from opensmtpd.backends.state.file.database import in_memory
from opensmtpd.backends.state.file.store import StepStore
from opensmtpd.backends.state.state import LastingState
from opensmtpd.backends.state.steps import SECOND
from opensmtpd.testing import Outcome, run_message
from opensmtpd.testing.zone import Zone
from opensmtpd_filters.greylist import Greylist, parser

SIZE = 64 << 20
OPTIONS = ("--greylist-text=wait %s", "--retry-window=4h", "--max-age=30")
"""Of postgrey: the times of filter-greylist, where they have others; it tells how long to wait."""
DEFERRED = re.compile(r"reject\|451 4\.7\.1 Greylisted, please try again in (\d+) seconds")
DELAYED = re.compile(rb"X-Greylist: delayed (\d+) seconds by filter-greylist at [^;]+; ")


class Sent(NamedTuple):
    """A message that comes to both."""

    time: int
    """Seconds since 1970."""
    address: str
    sender: bytes
    recipients: tuple[bytes, ...]
    rdns: str = ""
    """The name of the client, which leads back to its address; empty for none."""


class Judged(NamedTuple):
    """The decisions on a message."""

    waits: tuple[int, ...]
    """Seconds that a recipient has to wait, 0 where it passes."""
    delay: int = 0
    """Seconds that the header field says it was delayed, 0 where there is no field."""


class MovedState(LastingState):
    """Takes its steps at once, at the time that a test says."""

    def __init__(self) -> None:
        self.now = 0
        """Seconds since 1970."""
        self._store = StepStore(in_memory(SIZE), lambda: self.now * SECOND)

    def _take(self, step: list[Any], read: Any) -> Deferred[Any]:
        taken: Deferred[Any] = Deferred()
        taken.settle(read(self._store.take(*step)))
        return taken

    def close(self) -> None:
        """Forget all."""
        self._store.close()


class Ours:
    """filter-greylist."""

    def __init__(self, *words: str) -> None:
        flags = parser().parse_args(words)
        self.filter = Greylist(flags)
        self.filter.stop()
        self.filter.dns = Zone({})
        self.state = self.filter.state = MovedState()

    def judge(self, sent: Sent) -> Judged:
        """Return its decisions. Those on a null sender's recipients come at DATA."""
        self.state.now = sent.time
        outcome = run_message(
            self.filter,
            source=f"[{sent.address}]:25".encode() if ":" in sent.address else
                   f"{sent.address}:25".encode(),
            sender=sent.sender,
            recipients=sent.recipients,
            rdns=sent.rdns.encode() or b"<unknown>",
            fcrdns="pass" if sent.rdns else "fail",
        )  # fmt: skip
        phase = "rcpt-to" if sent.sender else "data"
        answers = [text.decode() for at, text in outcome.decisions if at == phase]
        return Judged(tuple(map(_wait, answers)), _delay(outcome))


class Theirs:
    """postgrey."""

    def __init__(self, server: PostgreyServer) -> None:
        self._server = server
        self._count = 0

    def judge(self, sent: Sent) -> Judged:
        """Return its decisions; of several delays, it is the longest that counts here."""
        actions = [self.action(sent, recipient, apart=True) for recipient in sent.recipients]
        delays = [int(action.split()[3]) for action in actions if action.startswith("PREPEND ")]
        waits = [int(action.split()[2]) if "wait" in action else 0 for action in actions]
        return Judged(tuple(waits), max(delays, default=0))

    def action(self, sent: Sent, recipient: bytes, *, apart: bool = False) -> str:
        """Return the action for a recipient. What comes ``apart`` is a message of its own."""
        self._count += apart
        return self._server.ask(
            client_address=sent.address,
            client_name=sent.rdns or "unknown",
            sender=_shown(sent.sender),
            recipient=_shown(recipient),
            instance=self._count if apart else "one",
            policy_test_time=sent.time,
        )


def _shown(address: bytes) -> str:
    return address.decode("utf-8", "surrogateescape")


def _wait(answer: str) -> int:
    found = DEFERRED.fullmatch(answer)
    assert found or answer == "proceed", answer
    return int(found[1]) if found else 0


def _delay(outcome: Outcome) -> int:
    found = DELAYED.match(outcome.message)
    assert found or b"X-Greylist" not in outcome.message
    return int(found[1]) if found else 0
