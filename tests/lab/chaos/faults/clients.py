"""Hostile clients: they vanish, drip, and send what no mail program sends."""

import signal
import smtplib
import socket
from contextlib import closing, suppress
from random import Random

from lab.chaos import load, processes
from lab.chaos.faults import Strikes, fault
from lab.chaos.faults.limits import open_data
from lab.chaos.stand import MANY, Stand
from lab.peers.clients import CONFIRMED_PTR
from lab.root.namespace import SERVER4
from lab.shows.moves import smtpctl

LONGEST = 65_534
"""Bytes of the longest line that smtpd takes."""
HEADER_LINES = 10_000
EDITABLE_LINES = 7_000
"""Short lines of a header that a filter which edits it takes: it refuses more with 550."""
LINES = (
    b"",
    b".",
    b"..",
    b'From: ((((((("\\\\<>@,;:',
    b"filter-result|0|0|proceed",
    b"X-Header: yes",
    b" folded",
    b"\xff\xfe\0\x01\r",
)


def session(source: str = CONFIRMED_PTR) -> socket.socket:
    """Connect, and read the greeting. Raises OSError."""
    client = socket.create_connection((SERVER4, 25), 30, source_address=(source, 0))
    client.recv(4096)
    return client


def say(client: socket.socket, command: bytes) -> bytes:
    """Send a command; returns the reply's code. Raises OSError."""
    client.sendall(command + b"\r\n")
    return client.recv(4096)[:3]


@fault("clients vanish mid-DATA", pause=0.05)
def vanish(stand: Stand) -> Strikes:
    """Have fifty at once go, in the middle of a line or behind one."""
    while True:
        gone = []
        with suppress(OSError):  # smtpd has no place for another session
            for _ in range(50):
                gone.append(open_data())
        for client in gone:
            with suppress(OSError):
                client.sendall(b"text\r\n" * stand.dice.randrange(200) + b"half a li")
            client.close()
        yield len(gone)


@fault("lines of 65,534 bytes", pause=0.3)
def long_lines(stand: Stand) -> Strikes:
    """Send lines around the longest ones that pass; smtpd or we refuse them."""
    while True:
        for length in (65_400, 65_485, 65_486, LONGEST, LONGEST + 1):
            with suppress(OSError), closing(open_data()) as client:
                client.sendall(b"y" * length + b"\r\n")
                say(client, b".")
            yield 1


@fault("headers of 10,000 lines", pause=0.5)
def many_lines(stand: Stand) -> Strikes:
    """Send fields, and lines of one field, by the thousand."""
    while True:
        for line in (b"X-%d: value\r\n", b" folded %d\r\n", b"From: <a%d@example.com>\r\n"):
            lines = b"X-First: one\r\n" + b"".join(line % n for n in range(HEADER_LINES))
            with suppress(OSError), closing(open_data_anew()) as client:
                client.sendall(lines + b"\r\ntext\r\n")
            yield 1
        # One that is a proper mail: it is signed and delivered, or refused for the while.
        extra = b"".join(b"X-%d: value\r\n" % n for n in range(EDITABLE_LINES))
        with suppress(OSError, smtplib.SMTPException), load.connect(CONFIRMED_PTR) as good:
            load.send(stand, good, 1000, stand.dice, load.SENDER, extra=extra)
        yield 1


def open_data_anew() -> socket.socket:
    """Return a session behind DATA, before any line. Its caller closes it."""
    client = session()
    for command in (b"EHLO x", b"MAIL FROM:<>", b"RCPT TO:<alice@example.com>", b"DATA"):
        say(client, command)
    return client


@fault("1,000 recipients", pause=0.02)
def many_recipients(stand: Stand) -> Strikes:
    """Name a thousand, begin the message, and go."""
    while True:
        with suppress(OSError), closing(session()) as client:
            for command in (b"EHLO x", b"MAIL FROM:<alice@example.com>"):
                say(client, command)
            for number in range(MANY):
                say(client, b"RCPT TO:<many%d@example.com>" % number)
                if number % 100 == 0:
                    yield 1 if number == 0 else 0
            say(client, b"DATA")
            client.sendall(b"Subject: never whole\r\n\r\ntext\r\n")
        yield 0


@fault("slow drips", pause=0.1)
def drip(stand: Stand) -> Strikes:
    """Have sixty sessions send a byte now and then, some of them amid a message."""
    drips: list[socket.socket] = []
    try:
        with suppress(OSError):
            for number in range(60):
                drips.append(open_data() if number % 2 else session())
        while True:
            for client in drips:
                with suppress(OSError):
                    client.sendall(stand.dice.choice((b"x", b"\r\n", b".", b"NO")))
            yield len(drips)
    finally:
        for client in drips:
            client.close()


@fault("the regex bomb", pause=0.1)
def regex_bomb(stand: Stand) -> Strikes:
    """Send from addresses that make bad matchers of our expressions work for ages."""
    while True:
        for local in (b"a" * 60, b"a-" * 30, b"ab" * 30, b"a" * 63 + b"!"):
            with suppress(OSError), closing(session()) as client:
                say(client, b"EHLO x")
                for _ in range(5):
                    say(client, b"MAIL FROM:<%s@slow.exampl>" % local)
                    say(client, b"RCPT TO:<alice@example.com>")
                    say(client, b"RSET")
            yield 1


@fault("clients send garbage", pause=0.02)
def garbage(stand: Stand) -> Strikes:
    """Send bytes, dots, our own protocol and broken headers, and cut some of it off."""
    while True:
        with suppress(OSError), closing(open_data()) as client:
            count = stand.dice.choice((0, 1, 5, 50, 200))
            client.sendall(b"".join(line(stand.dice) for _ in range(count)))
            if stand.dice.random() < 0.85:
                say(client, b"\r\n.\r\nRSET")
        yield 1


def line(dice: Random) -> bytes:
    """Return one line of a message."""
    text = dice.choice((*LINES, dice.randbytes(dice.randrange(80))))
    return text + dice.choice((b"\r\n", b"\n"))


@fault("reloads without a pause", pause=0.05)
def reload(stand: Stand) -> Strikes:
    """Have filters and tables read their files again, all the time."""
    while True:
        for table in ("domains", "aliases", "users", "spammers"):
            smtpctl(stand.guide, "update", "table", table)
            yield 1 + processes.send(processes.fronts(stand.server), signal.SIGHUP)
