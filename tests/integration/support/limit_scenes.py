"""Listeners with filter-limit, each with rules of its own, and the clients who come to them."""

import os
import re
import select
import signal
import smtplib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from integration.support.dns_scenes import Chains, listen, ours
from integration.support.milter_scenes import Seen, transaction
from integration.support.told import until
from lab.peers import mail
from lab.peers.clients import CONFIRMED_PTR
from lab.root import inside
from lab.root.namespace import SERVER6
from lab.shows import moves
from lab.shows.demo import LOCAL, STRANGER
from lab.shows.guide import PASSWORD, Guide
from lab.support import Lab

NAME = "filter-limit"
FOLDER = "etc/mail/limits"
STATES = "var/lib/limits"
OTHER_DOMAIN = "alice@mail.example.com"
"""Alice's address in another domain of the server."""
OTHER_CLIENT = "192.0.2.100"
"""A client of the network that most clients of tests are from."""


class Limited(NamedTuple):
    """The filter of a listener."""

    rules: str
    options: str = ""
    state: str | None = None
    """The argument of ``--state``, empty for none; None for a file of the listener's."""

    def command(self, title: str) -> str:
        """Return the filter for a chain."""
        state = f"/{STATES}/{title}.db" if self.state is None else self.state
        words = (f"--state {state}" if state else "", self.options, f"/{FOLDER}/{title}")
        return ours(NAME, " ".join(filter(None, words)))


Listeners = Mapping[str, Limited]
"""By titles, which name the files, too."""


def chains(listeners: Listeners) -> Chains:
    """Return the filters of each listener."""
    return {title: (each.command(title),) for title, each in listeners.items()}


def lay_out(view: Path, listeners: Listeners) -> None:
    """Write the rules, and make the folder of what is remembered. Raises CommandError."""
    (view / FOLDER).mkdir()
    for title, each in listeners.items():
        (view / FOLDER / title).write_text(each.rules)
    (view / STATES).mkdir()
    inside.done(view, "chown", moves.USER, f"/{STATES}")


def prepare(guide: Guide, listeners: Listeners, local: str = "") -> None:
    """Have a listener for each; one of them may serve clients on this machine, too."""
    lay_out(guide.view, listeners)
    listen(guide, chains(listeners), local=local)


def fronts(lab: Lab, title: str) -> list[int]:
    """Return the processes that smtpd talks to, of the filter of a listener."""
    path = f"/{FOLDER}/{title}\0".encode()
    pids = lab.server.filters(NAME)
    return [pid for pid in pids if path in Path(f"/proc/{pid}/cmdline").read_bytes()]


def write_rules(lab: Lab, title: str, rules: str, says: str = "reloaded") -> None:
    """Have a filter read other rules, and wait until the log ``says`` that it has."""
    seen = len(lab.log)
    (lab.guide.view / FOLDER / title).write_text(rules)
    for pid in fronts(lab, title):
        os.kill(pid, signal.SIGHUP)
    until(lambda: re.search(rf": {says}\b", lab.log[seen:]))


def forget(lab: Lab, title: str) -> None:
    """Have a filter forget all that it knows."""
    for each in (lab.guide.view / STATES).glob(f"{title}.db*"):
        each.unlink()


# --- clients ------------------------------------------------------------------------------------


class Sent(NamedTuple):
    """A message, and who sends it."""

    sender: str = STRANGER
    recipients: tuple[str, ...] = (LOCAL,)
    address: str = CONFIRMED_PTR
    user: str = ""
    """The user who authenticates."""
    size: int = 0
    """Bytes of a body, besides."""


def session(lab: Lab, port: int, sent: Sent) -> smtplib.SMTP:
    """Connect to a port as the client of a message, say EHLO and authenticate where it has."""
    host = SERVER6 if ":" in sent.address else lab.server.address
    client = mail.connect(sent.address, port, host)
    if sent.user:
        context = mail.trusting(lab.guide)
        context.check_hostname = False  # the second of two servers has the name of the first
        client.starttls(context=context)
        client.login(sent.user, PASSWORD)
    return client


def say(client: smtplib.SMTP, sent: Sent) -> Seen:
    """Send a message in a session, up to the first refusal."""
    message = mail.compose(sent.sender, sent.recipients[0], "limited")
    filler = b"x" * 98 + b"\r\n"
    return transaction(client, message + filler * (sent.size // 100), sent.sender, sent.recipients)


def send(lab: Lab, port: int, sent: Sent) -> Seen:
    """Send a message in a session of its own."""
    with session(lab, port, sent) as client:
        return say(client, sent)


def later(unit: str = "messages") -> str:
    """Return the pattern of the text of a refusal for now."""
    return rf"4\.7\.1 Too many {unit}, please try again in [0-9]+ seconds"


def hand_over(lab: Lab, port: int, sent: Sent, subject: str) -> smtplib.SMTP:
    """Send a message to its end, and leave the reply to be read."""
    client = session(lab, port, sent)
    assert client.mail(sent.sender)[0] == 250
    for recipient in sent.recipients:
        assert client.rcpt(recipient)[0] == 250
    assert client.docmd("DATA")[0] == 354
    text = mail.compose(sent.sender, sent.recipients[0], subject)
    client.send(text.replace(b"\r\n.", b"\r\n..") + b".\r\n")
    return client


def answered(client: smtplib.SMTP, seconds: float = 0.0) -> bool:
    """Return whether the client has been told something, or its connection has ended."""
    assert client.sock is not None
    return bool(select.select([client.sock], [], [], seconds)[0])
