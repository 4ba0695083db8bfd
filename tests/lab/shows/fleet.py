"""The last act of the demo: three mail servers on one PostgreSQL and one Valkey."""

import time
from collections.abc import Callable
from pathlib import Path

from lab.fleet.fleet import Fleet, connect, fleet, rcpt
from lab.peers import mail
from lab.peers.numbered import numbers
from lab.shows.demo import Act, play

DAVE, STRANGER, SPAMMER = "dave@example.com", "bob@example.net", "spam@example.net"
COUNT = 3
SECONDS = 30.0


def play_fleet(root: Path, databases: Path) -> int:
    """Run the fleet and its scenes; returns how many ended otherwise than they should.

    ``root`` is a view with our package, ``databases`` the root with the servers. Raises
    ServerError.
    """
    with fleet([root] * COUNT, databases) as servers:
        servers.start()
        return play(_acts(servers), "three servers say")


def _acts(servers: Fleet) -> list[Act]:
    def replies(sender: str = STRANGER, recipient: str = DAVE) -> str:
        return " ".join(map(str, servers.all(lambda node: rcpt(node, recipient, sender))))

    def no_user() -> tuple[str, str]:
        return "nowhere", replies()

    def new_user() -> tuple[str, str]:
        servers.add_user("dave", "correcthorse")
        return delivered(servers), replies()

    def blocked() -> tuple[str, str]:
        servers.block(SPAMMER)
        return "nowhere", replies(SPAMMER)

    def down(befall: Callable[[], None]) -> Callable[[], tuple[str, str]]:
        def run() -> tuple[str, str]:
            befall()
            return "nowhere", replies()

        return run

    def back(heal: Callable[[], None]) -> Callable[[], tuple[str, str]]:
        def run() -> tuple[str, str]:
            heal()
            until_well(replies)
            return delivered(servers), replies()

        return run

    all_three, fine = f"{COUNT} inboxes", "250 250 250"
    return [
        Act("to a user who is not there", ("nowhere", "550 550 550"), no_user),
        Act("to him, added once to PostgreSQL", (all_three, fine), new_user),
        Act("from a sender blocked once in Valkey", ("nowhere", "550 550 550"), blocked),
        Act("PostgreSQL killed", ("nowhere", "451 451 451"), down(servers.postgres.kill9)),
        Act("PostgreSQL started", (all_three, fine), back(servers.postgres.start)),
        Act("Valkey hangs", ("nowhere", "451 451 451"), down(servers.valkey.pause)),
        Act("Valkey goes on", (all_three, fine), back(servers.valkey.resume)),
    ]


def until_well(replies: Callable[[], str]) -> None:
    """Wait until all of them take mail. Raises TimeoutError."""
    end = time.monotonic() + SECONDS
    while "4" in replies():
        if time.monotonic() > end:
            raise TimeoutError


def delivered(servers: Fleet) -> str:
    """Send a mail to each server; return to how many inboxes they came. Raises TimeoutError."""
    for number, node in enumerate(servers.nodes):
        with connect(node) as client:
            message = mail.compose(STRANGER, DAVE, f"n{number}.")
            client.sendmail(STRANGER, DAVE, message)
    end, came = time.monotonic() + SECONDS, set[int]()
    while len(came) < COUNT and time.monotonic() < end:
        came.update(numbers(servers.take()))
    return f"{len(came)} inboxes"
