"""Steady load: clients who send mail of all sizes, and one who measures how long answers take."""

import smtplib
import ssl
import threading
import time
from collections.abc import Callable
from random import Random

from lab.chaos.ledger import FIELD, Told
from lab.chaos.stand import ADDRESSES, RECIPIENTS, Stand
from lab.peers.clients import CONFIRMED_PTR
from lab.peers.mail import trusting
from lab.root.namespace import SERVER4
from lab.shows.guide import PASSWORD

PATIENCE = 60.0
"""Seconds after which a client takes it that there is no answer."""
SIZES = (2_000,) * 40 + (20_000,) * 6 + (200_000,) * 2 + (2_000_000,)
BACKLOG = 200
"""Messages that may wait to be delivered: clients make a pause above it."""
PAUSE = 0.05
SENDER = "alice@example.com"
SESSION_MAILS = 50
"""Mails in a session of the bystander; smtpd takes 100."""

Command = Callable[[], tuple[int, bytes]]


def message(number: int, size: int, dice: Random, extra: bytes = b"") -> bytes:
    """Return a message of about ``size`` bytes with this number; ``extra`` are header lines."""
    header = (
        b"From: Alice <alice@example.com>\r\nTo: sales@example.com\r\nSubject: chaos\r\n"
        b"Date: Tue, 03 Mar 2026 10:00:00 +0000\r\nMessage-ID: <%d@chaos.example.com>\r\n"
        b"%s: %d\r\n%s\r\n" % (number, FIELD, number, extra)
    )
    line = dice.randbytes(35).hex().encode() + b"  .\r\n"
    return header + (line + b".dots and\ttabs \r\n\r\n") * (size // (len(line) + 20) + 1)


class Clients:
    """``with Clients(stand, count):`` has as many clients send mail until its end."""

    def __init__(self, stand: Stand, count: int) -> None:
        self._stand = stand
        self._ending = threading.Event()
        self.silence = 0.0
        """Seconds that the bystander waited for an answer at most; set it to begin anew."""
        self.counts_connecting = True
        """Does the wait for the greeting count?"""
        runs = [self._bystander, *[self._sender] * count]
        self._threads = [threading.Thread(target=self._run, args=run) for run in enumerate(runs)]

    def __enter__(self) -> "Clients":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join()

    def _run(self, number: int, session: Callable[[int, Random], None]) -> None:
        dice = Random(number)
        while not self._ending.is_set():
            try:
                session(number, dice)
            except (OSError, smtplib.SMTPException):  # the server is gone, or sends us away
                time.sleep(0.1)

    def _sender(self, number: int, dice: Random) -> None:
        """One session: a few messages."""
        one_logs_in = number == 1
        with log_in(self._stand) if one_logs_in else connect(dice.choice(ADDRESSES)) as client:
            for _ in range(dice.randint(1, 5)):
                size, recipient = dice.choice(SIZES), dice.choice(RECIPIENTS)
                send(self._stand, client, size, dice, f"{recipient}@example.com")
                while self._ending.wait(PAUSE) is False:
                    if self._stand.ledger.outstanding < BACKLOG:
                        break
                if self._ending.is_set():
                    return

    def _bystander(self, _: int, dice: Random) -> None:
        """Keep a session open, and send small messages through it."""
        start = time.monotonic()
        with connect(CONFIRMED_PTR) as client:
            if self.counts_connecting:
                self._waited(start)
            for _mail in range(SESSION_MAILS):
                start = time.monotonic()
                send(self._stand, client, 500, dice, SENDER, self._waited)
                if self._ending.wait(PAUSE):
                    return

    def _waited(self, since: float) -> None:
        self.silence = max(self.silence, time.monotonic() - since)


def connect(source: str, port: int = 25) -> smtplib.SMTP:
    """Connect and say EHLO. Raises OSError, SMTPException."""
    client = smtplib.SMTP(
        SERVER4, port, "client.example.net", timeout=PATIENCE, source_address=(source, 0)
    )
    client.ehlo_or_helo_if_needed()
    return client


def log_in(stand: Stand) -> smtplib.SMTP:
    """Connect as Alice. Raises OSError, SMTPException."""
    client = connect(CONFIRMED_PTR, 587)
    try:
        context: ssl.SSLContext = trusting(stand.guide)
        client.starttls(context=context)
        client.login("alice", PASSWORD)
    except BaseException:
        client.close()
        raise
    return client


def send(
    stand: Stand,
    client: smtplib.SMTP,
    size: int,
    dice: Random,
    recipient: str,
    waited: Callable[[float], None] = lambda since: None,
    extra: bytes = b"",
) -> Told:
    """Send a message in a session, and enter what becomes of it into the ledger.

    ``waited`` is called with the time of each command that was answered. Raises OSError,
    SMTPException where the session is over; that is in the ledger, too.
    """
    number = stand.ledger.number()
    told: Told = "cut"
    text = message(number, size, dice, extra)
    try:
        commands: tuple[Command, ...] = (
            lambda: client.mail(SENDER),
            lambda: client.rcpt(recipient),
            lambda: client.data(text),
        )
        for command in commands:
            start = time.monotonic()
            try:
                code, _ = command()
            finally:
                waited(start)
            if code >= 400:
                break
        told = "accepted" if code < 400 else "tempfailed" if code < 500 else "refused"
        if code == 421:
            raise smtplib.SMTPServerDisconnected("421")
        if told != "accepted":
            client.rset()
    except smtplib.SMTPDataError as error:
        told = "tempfailed" if error.smtp_code < 500 else "refused"
    except TimeoutError:
        told = "no answer"
        raise
    finally:
        stand.ledger.told(number, told)
    return told
