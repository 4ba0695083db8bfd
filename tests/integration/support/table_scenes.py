"""What becomes of mail on the guide's server, tables and all: nothing that names their kind."""

import smtplib
from collections.abc import Callable

from lab.peers import mail
from lab.peers.maildir import Maildir
from lab.root.namespace import OTHER_MXS, RELAY_CLIENT, STRANGER, visit
from lab.shows import demo
from lab.shows.moves import SOURCES
from lab.support import Lab

Outcome = object
Scene = Callable[[Lab], Outcome]
TAKEN = "taken"
ALICE, USERNAME, OUTSIDE = "alice@example.com", "username@example.com", demo.OUTSIDE


def transaction(client: smtplib.SMTP, sender: str, recipient: str, title: str) -> str:
    """Send a mail; returns TAKEN, or the refusal."""
    code, text = mail.send(client, sender, recipient, mail.compose(sender, recipient, title))
    return TAKEN if code == 250 else f"{code} {text.decode()}"


def landed(lab: Lab, user: str) -> str:
    """Wait for a mail of ``user``; returns the folder."""
    return Maildir(lab.guide.home(user) / "Maildir").one().folder


def of_the_demo(scene: demo.Scene) -> Scene:
    return lambda lab: demo.outcome(scene, lab.guide, lab.sink)


def submit(sender: str, recipient: str, user: str) -> Scene:
    """Log in as Alice, send to our domain, look into the mail of ``user``."""

    def scene(lab: Lab) -> Outcome:
        with mail.submission(lab.guide) as client:
            reply = transaction(client, sender, recipient, f"to {recipient}")
        return (reply, landed(lab, user)) if reply == TAKEN else reply

    return scene


def forged(connect: Callable[[Lab], smtplib.SMTP]) -> Scene:
    """Log in as Alice and send as somebody else."""

    def scene(lab: Lab) -> Outcome:
        with connect(lab) as client:
            return transaction(client, USERNAME, ALICE, "forged")

    return scene


def on_port_25(lab: Lab) -> smtplib.SMTP:
    client = mail.connect()
    client.starttls(context=mail.trusting(lab.guide))
    client.login("alice", "correcthorse")
    return client


def visitor(address: str, recipient: str) -> Scene:
    """Come from elsewhere and do not log in."""

    def scene(lab: Lab) -> Outcome:
        with visit(address), mail.connect(address) as client:
            reply = transaction(client, demo.STRANGER, recipient, f"from {address}")
        if reply != TAKEN:
            return reply
        if recipient == OUTSIDE:
            lab.sink.take(30)
            return reply, "relayed"
        return reply, landed(lab, "alice")

    return scene


def sources(lab: Lab) -> Outcome:
    """Send to domains that can be reached in both ways: from all addresses of the table?"""
    clients = set()
    for number in range(len(OTHER_MXS)):
        recipient = f"carol@other{number}.example.org"
        with mail.submission(lab.guide) as client:
            transaction(client, ALICE, recipient, f"source {number}")
        clients.add(lab.sink.receive(30).client)
    return clients == set(SOURCES[lab.smtpd])


FORGED, REFUSED = "530 Sender rejected", "550 Invalid recipient: <%s>"
SCENES: dict[str, tuple[Scene, Outcome]] = {
    **{scene.title: (of_the_demo(scene), (scene.place, scene.signature)) for scene in demo.SCENES},
    "sender of his own": (submit(ALICE, ALICE, "alice"), (TAKEN, "inbox")),
    "sender in capitals": (submit("Alice@Example.COM", ALICE, "alice"), (TAKEN, "inbox")),
    "another's sender, port 587": (
        forged(lambda lab: mail.submission(lab.guide)),
        FORGED,
    ),
    "another's sender, port 465": (
        forged(lambda lab: mail.submissions(lab.guide)),
        FORGED,
    ),
    "another's sender, port 25": (forged(on_port_25), FORGED),
    "sender of no user": (submit("nobody@example.com", ALICE, "alice"), FORGED),
    "alias": (submit(ALICE, "root@example.com", "username"), (TAKEN, "inbox")),
    "second domain": (submit(ALICE, "alice@mail.example.com", "alice"), (TAKEN, "inbox")),
    "recipient in capitals": (submit(ALICE, "Root@MAIL.example.com", "username"), (TAKEN, "inbox")),
    "tag": (submit(ALICE, "root+tag@example.com", "username"), (TAKEN, "inbox")),
    "visitor to us": (visitor(STRANGER, ALICE), (TAKEN, ".Junk")),
    "visitor to nobody": (
        visitor(STRANGER, "noone@example.com"),
        REFUSED % "noone@example.com",
    ),
    "visitor to another domain": (
        visitor(STRANGER, "alice@sub.example.com"),
        REFUSED % "alice@sub.example.com",
    ),
    "relaying for a visitor": (visitor(STRANGER, OUTSIDE), REFUSED % OUTSIDE),
    "relaying for relayaddr": (visitor(RELAY_CLIENT, OUTSIDE), (TAKEN, "relayed")),
    "sources": (sources, True),
}
"""Scene and outcome, by title."""
