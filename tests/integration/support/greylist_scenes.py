"""Clients who come to filter-greylist, and come again until their mail passes."""

import re
import smtplib
import time
from collections.abc import Sequence
from typing import NamedTuple

from integration.support.dns_scenes import knock
from lab.peers import mail
from lab.peers.clients import CONFIRMED_PTR
from lab.peers.mail import Reply
from lab.root import inside
from lab.shows import moves
from lab.shows.demo import LOCAL
from lab.shows.guide import Guide

NAME = "filter-greylist"
FOLDER = "/var/lib/opensmtpd-plugins/greylist"
QUICK = "-passtime 0.6"
"""For clients who are to pass soon; it is a second in what they are told."""
LATER = re.compile(rb"4\.7\.1 Greylisted, please try again in (\d+) seconds")
FIELD = re.compile(
    rb"(?m)^X-Greylist: delayed (\d+) seconds by filter-greylist at example\.com; "
    rb"\w{3}, \d\d? \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}\n"
)
MINUTE = 60.0


class Tried(NamedTuple):
    """The replies to a message."""

    recipients: tuple[Reply, ...]
    end: Reply | None
    """To DATA where it is refused, otherwise to the final dot; None where no recipient is left."""

    @property
    def codes(self) -> list[int]:
        """The codes, that of the end last."""
        return [code for code, _ in self._all]

    @property
    def waits(self) -> list[int]:
        """The seconds that refusals tell. All have to be such that tell some."""
        found = [LATER.fullmatch(text) for code, text in self._all if code != 250]
        assert all(found), self
        return [int(each[1]) for each in found if each]

    @property
    def _all(self) -> list[Reply]:
        return [*self.recipients, *([self.end] if self.end else [])]


def state(guide: Guide) -> None:
    """Make the folder of the state, for the user whom filters run as."""
    inside.done(guide.view, "install", "-d", "-o", moves.USER, "-m", "700", FOLDER)


def message(client: smtplib.SMTP, sender: str, recipients: Sequence[str] = (LOCAL,)) -> Tried:
    """Send a message in a session, and leave nothing of it there."""
    client.mail(sender)
    replies = tuple(client.rcpt(each) for each in recipients)
    end = None
    if any(code == 250 for code, _ in replies):
        try:
            end = client.data(mail.compose(sender, recipients[0], f"from {sender}"))
        except smtplib.SMTPDataError as error:
            said = error.smtp_error
            end = (error.smtp_code, said if isinstance(said, bytes) else said.encode())
    client.rset()
    return Tried(replies, end)


def attempt(number: int, sender: str, *recipients: str, source: str = CONFIRMED_PTR) -> Tried:
    """Send a message to a port, to Alice where nobody is named."""
    with knock(source, number) as client:
        return message(client, sender, recipients or (LOCAL,))


def again(number: int, sender: str, *recipients: str, source: str = CONFIRMED_PTR) -> int:
    """Send a message again and again, until it passes for all; return how often it did not."""
    end = time.monotonic() + MINUTE
    count = 0
    while (tried := attempt(number, sender, *recipients, source=source)).waits:
        assert time.monotonic() < end
        count += 1
        time.sleep(0.1)
    assert set(tried.codes) == {250}
    return count
