"""``make chaos``: hostile clients at a real smtpd with our filter, for a while.

Eight clients at once send what no mail program sends: bytes of all kinds, dots, lines around the
longest that can pass, broken From fields, connections cut in the middle. At the end smtpd and its
one filter must be the ones that started, no handler may have failed, and the filter may hold no
descriptor more than at the start.
"""

import argparse
import collections
import os
import random
import socket
import sys
import threading
import time
from contextlib import closing, suppress

from lab.peers.nameserver import NameServer
from lab.peers.sink import Sink
from lab.root import stage
from lab.root.server import Server
from lab.shows.guide import records

CLIENTS = 8
ADDRESS = ("127.0.0.1", 25)
EDGES = (65_400, 65_484, 65_485, 65_486, 65_500, 65_533)
"""Lengths around the longest line that can pass a filter (65,485 bytes)."""


def line(dice: random.Random) -> bytes:
    """One line of a message, without its end."""
    match dice.randrange(8):
        case 0 | 1 | 2:
            return bytes(dice.choices(range(256), k=dice.randrange(80)))
        case 3:
            return b"." * dice.randrange(4)
        case 4:
            return b"From: " + bytes(dice.choices(b'"()\\<>@,;: ab', k=dice.randrange(60)))
        case 5:
            return b"x" * dice.choice(EDGES) if dice.random() < 0.02 else b""
        case 6:
            return b"filter-result|0|0|proceed"
        case _:
            return b"X-Header: yes"


def session(dice: random.Random, replies: collections.Counter[str]) -> None:
    """Be one client: a few transactions, some of them cut off."""
    with closing(socket.create_connection(ADDRESS, timeout=30)) as client:

        def say(command: bytes) -> str:
            client.sendall(command + b"\r\n")
            return client.recv(4096)[:3].decode("ascii", "replace")

        client.recv(4096)
        say(b"EHLO chaos.example")
        for _ in range(dice.randint(1, 4)):
            say(b"MAIL FROM:<alice@example.com>")
            say(b"RCPT TO:<alice@example.com>")
            if dice.random() < 0.1:
                say(b"RSET")
                continue
            say(b"DATA")
            count = dice.choice((0, 1, 5, 50, 200))
            text = b"".join(line(dice) + dice.choice((b"\r\n", b"\n")) for _ in range(count))
            if dice.random() < 0.15:
                client.sendall(text)
                return
            reply = say(text + b"\r\n.")
            replies[reply or "closed"] += 1
            if reply[:1] not in ("2", "5"):
                return


def storm(smtpd: str, seconds: float, seed: int) -> bool:
    """Have the clients at one smtpd; True if all is well at the end."""
    guide = stage.stages()[smtpd].guide()
    replies: collections.Counter[str] = collections.Counter()
    with NameServer(records(guide)), Sink(), Server(guide.view) as server:
        before = server.filters()
        descriptors = [len(os.listdir(f"/proc/{pid}/fd")) for pid in before]
        end = time.monotonic() + seconds

        def run(number: int) -> None:
            dice = random.Random(f"{seed}-{number}")
            while time.monotonic() < end:
                with suppress(ConnectionError):
                    try:
                        session(dice, replies)
                    except TimeoutError:
                        replies["no answer"] += 1

        clients = [threading.Thread(target=run, args=(number,)) for number in range(CLIENTS)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        server.check()
        same = server.filters() == before
        left = [len(os.listdir(f"/proc/{pid}/fd")) for pid in server.filters()]
        failed = server.log.read_text(errors="replace").count(" handler-failed ")
    answers = ", ".join(f"{count} x {reply}" for reply, count in sorted(replies.items()))
    print(f"chaos: smtpd {smtpd}: {answers}; {failed} handlers failed")
    well = same and not failed and not replies["no answer"] and left == descriptors
    print(f"chaos: smtpd {smtpd}: {'all well' if well else 'NOT WELL'}")
    return well


def main() -> int:
    """Run on both versions of smtpd."""
    options = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    options.add_argument("--seconds", type=float, default=60, help="for each smtpd")
    options.add_argument("--seed", type=int, default=int(time.time()))
    chosen = options.parse_args()
    print(f"chaos: {chosen.seconds:g} s for each smtpd, seed {chosen.seed}")
    results = [storm(smtpd, chosen.seconds, chosen.seed) for smtpd in stage.stages()]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
