"""Clients who send numbered mail without end: what was accepted has to come, and once."""

import re
import smtplib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from random import Random

from lab.peers import mail

PAUSE = 0.02
"""Seconds between two mails of a client."""
SESSION_MAILS = 20
PATIENCE = 60.0
"""Seconds after which what was accepted and has not come is lost."""
NUMBER = re.compile(rb"(?m)^Subject: n(\d+)\.\r?$")


class NumberedMail:
    """``with NumberedMail(connect, sender, recipient) as load:`` sends until the end.

    A client does not send a mail again, whatever it is told.
    """

    def __init__(
        self,
        connect: Callable[[Random], smtplib.SMTP],
        sender: str,
        recipient: str,
        clients: int = 2,
    ) -> None:
        """``connect`` opens a session; it may raise SMTPException or OSError."""
        self.told: dict[int, int] = {}
        """The reply that each mail ended with; 0 where the session ended before."""
        self._connect, self._sender, self._recipient = connect, sender, recipient
        self._lock, self._ending = threading.Lock(), threading.Event()
        runs = range(clients)
        self._threads = [threading.Thread(target=self._run, args=[run]) for run in runs]

    def __enter__(self) -> "NumberedMail":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join()

    @property
    def accepted(self) -> set[int]:
        """Numbers of mails that were accepted so far."""
        with self._lock:
            return {number for number, code in self.told.items() if code == 250}

    @property
    def refused(self) -> list[int]:
        """Replies that a sender takes for final."""
        with self._lock:
            return [code for code in self.told.values() if code >= 500]

    def _run(self, seed: int) -> None:
        dice = Random(seed)
        while not self._ending.wait(PAUSE):
            with suppress(smtplib.SMTPException, OSError), self._connect(dice) as client:
                for _ in range(SESSION_MAILS):
                    self._send(client)
                    if self._ending.wait(PAUSE):
                        return

    def _send(self, client: smtplib.SMTP) -> None:
        with self._lock:
            number = len(self.told)
            self.told[number] = 0
        message = mail.compose(self._sender, self._recipient, f"n{number}.")
        try:
            code, _ = mail.send(client, self._sender, self._recipient, message)
        except smtplib.SMTPDataError as error:
            code = error.smtp_code
        with self._lock:
            self.told[number] = code
        client.rset()

    def goes_on(self, seconds: float = 30.0) -> float:
        """Wait until one more mail is accepted; return the seconds. Raises TimeoutError."""
        before, start = len(self.accepted), time.monotonic()
        while len(self.accepted) == before:
            if time.monotonic() - start > seconds:
                raise TimeoutError(f"no mail is accepted for {seconds:g} s")
            time.sleep(0.01)
        return time.monotonic() - start


def numbers(messages: Iterable[bytes]) -> Iterator[int]:
    """Yield the numbers of delivered messages."""
    for message in messages:
        yield from map(int, NUMBER.findall(message))


def missing_and_twice(
    load: NumberedMail, take: Callable[[], Iterable[bytes]]
) -> tuple[set[int], set[int]]:
    """Wait until all that was accepted has come; return what has not, and what came twice.

    ``take`` returns messages that were delivered, each once.
    """
    came: Counter[int] = Counter()
    end = time.monotonic() + PATIENCE
    while not load.accepted <= set(came) and time.monotonic() < end:
        came.update(numbers(take()))
        time.sleep(0.2)
    time.sleep(0.5)  # for second copies
    came.update(numbers(take()))
    return load.accepted - set(came), {number for number, count in came.items() if count > 1}
