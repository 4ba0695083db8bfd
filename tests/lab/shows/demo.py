"""``make demo``: the guide's mail server with our plugins, and what becomes of its users' mail.

First with the guide's table files, then on SQLite, then with filters of ours that say why mail is
junk, then with filter-auth in front of these: a spoofed, an honest and a forwarded mail. Last come
three servers whose users are in one PostgreSQL, and whose blocked senders are in one Valkey.
"""

import queue
import smtplib
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from lab.peers import mail
from lab.peers.clients import CONFIRMED_PTR, LYING_PTR, NO_PTR
from lab.peers.maildir import Maildir
from lab.peers.nameserver import NameServer
from lab.peers.sink import Sink
from lab.peers.verify import signatures, verifies
from lab.root import stage
from lab.root.server import Server, ServerError
from lab.shows import inbound, moves
from lab.shows.guide import Guide, records
from lab.shows.rehearsal import rehearse

LOCAL, STRANGER, OUTSIDE = "alice@example.com", "bob@example.net", "carol@outside.example.org"
SIGNED, UNSIGNED = "signature verifies", "no signature"


@dataclass(frozen=True)
class Scene:
    """One mail of the demo and what the guide promises for it."""

    title: str
    place: str
    """Where it has to land: "inbox", ".Junk" or "relayed"."""
    signature: str
    send: Callable[[Guide, bytes], None]
    sender: str = LOCAL
    recipient: str = LOCAL


def _local(guide: Guide, message: bytes) -> None:
    mail.sendmail(guide.view, "alice", LOCAL, message)


def _submission(recipient: str) -> Callable[[Guide, bytes], None]:
    def send(guide: Guide, message: bytes) -> None:
        with mail.submission(guide) as client:
            client.sendmail(LOCAL, recipient, message)

    return send


def _submissions(guide: Guide, message: bytes) -> None:
    with mail.submissions(guide) as client:
        client.sendmail(LOCAL, LOCAL, message)


def _stranger(source: str) -> Callable[[Guide, bytes], None]:
    def send(guide: Guide, message: bytes) -> None:
        with mail.connect(source) as client:
            client.sendmail(STRANGER, LOCAL, message)

    return send


SCENES = (
    Scene("local submission (sendmail)", "inbox", SIGNED, _local),
    Scene("port 587, STARTTLS and AUTH", "inbox", SIGNED, _submission(LOCAL)),
    Scene("port 465, TLS and AUTH", "inbox", SIGNED, _submissions),
    Scene("port 25, client without PTR", ".Junk", UNSIGNED, _stranger(NO_PTR), STRANGER),
    Scene("port 25, client whose PTR lies", ".Junk", UNSIGNED, _stranger(LYING_PTR), STRANGER),
    Scene("port 25, client with proper DNS", "inbox", UNSIGNED, _stranger(CONFIRMED_PTR), STRANGER),
    Scene("port 587, to the outside", "relayed", SIGNED, _submission(OUTSIDE), recipient=OUTSIDE),
)


def outcome(scene: Scene, guide: Guide, sink: Sink) -> tuple[str, str]:
    """Send the mail of ``scene``; returns where it landed and what its signature is worth."""
    scene.send(guide, mail.compose(scene.sender, scene.recipient, scene.title))
    if scene.recipient == OUTSIDE:
        place, message = "relayed", sink.take(30)
    else:
        delivered = Maildir(guide.home("alice") / "Maildir").one(30)
        place, message = delivered.folder, delivered.message
    if not signatures(message):
        return place, UNSIGNED
    return place, SIGNED if verifies(message) else "SIGNATURE BROKEN"


class Act(NamedTuple):
    """One line of the demo."""

    title: str
    wanted: tuple[str, str]
    """Where the mail has to land, and what is to be said of it then."""
    run: Callable[[], tuple[str, str]]
    """Sends the mail; returns these two."""


def play(acts: Iterable[Act], what: str) -> int:
    """Run all acts; returns how many ended otherwise than they should. ``what`` is a headline."""
    wrong = 0
    print(f"\n  {'mail':40} {'landed in':10} {what:38}")
    for act in acts:
        try:
            found = act.run()
        except (TimeoutError, queue.Empty, smtplib.SMTPException, OSError) as error:
            found = "nowhere", type(error).__name__
        good = found == act.wanted
        wrong += not good
        verdict = "ok" if good else f"EXPECTED {', '.join(act.wanted)}"
        print(f"  {act.title:40} {found[0]:10} {found[1]:38} {verdict}", flush=True)
    return wrong


def play_guide(guide: Guide, sink: Sink) -> int:
    """Run the scenes of the guide."""
    acts = (
        Act(scene.title, (scene.place, scene.signature), partial(outcome, scene, guide, sink))
        for scene in SCENES
    )
    return play(acts, "DKIM")


def play_inbound(guide: Guide, signer: inbound.Signer) -> int:
    """Run the scenes of mail from outside that says who has sent it."""
    acts = (
        Act(scene.title, (scene.place, scene.says), partial(inbound.outcome, scene, guide, signer))
        for scene in inbound.SCENES
    )
    return play(acts, "results")


def shell(server: Server) -> None:
    """Open a shell in the private network while the server runs."""
    print(f"\nThe server's files are below {server.view} (smtpd.log, home/alice/Maildir); try")
    print("  chroot . smtpctl show stats     smtpctl monitor     tail smtpd.log")
    print("Leaving the shell ends the server and removes everything.", flush=True)
    subprocess.call(["bash"], cwd=server.view)


def run(guide: Guide, what: str, signer: inbound.Signer | None = None) -> int:
    """Start the server, run all scenes, then a shell if ``what`` is "shell"; returns how many
    scenes ended otherwise than the guide says. Raises ServerError.

    With the key of somebody who sends mail, filter-auth judges his.
    """
    zone = {**records(guide), **(signer.zone() if signer else {})}
    with NameServer(zone), Sink() as sink, Server(guide.view) as server:
        wrong = play_inbound(guide, signer) if signer else play_guide(guide, sink)
        server.check()
        if wrong:
            print(server.tail())
        if what == "shell":
            shell(server)
    return wrong


def move(guide: Guide) -> None:
    """Move the guide's tables to SQLite, and show what there is to do."""
    print(f"\n  # opensmtpd-plugins import {moves.CONF} {moves.DATABASE}")
    edits = moves.to_sqlite(guide).splitlines()
    print("\n".join(f"  {line}" for line in edits if line[:2] in ("-t", "+t")), flush=True)


def swap(guide: Guide) -> None:
    """Put our filters into the places of the guide's junk lines, and show what there is to do."""
    print(
        "\n" + "\n".join(f"  {line}" for line in moves.to_filters(guide).splitlines()), flush=True
    )


def authenticate(guide: Guide) -> None:
    """Put filter-auth in front of the junk filters, and show what there is to do."""
    print("\n" + "\n".join(f"  {line}" for line in moves.to_auth(guide).splitlines()), flush=True)


def join(guide: Guide) -> int:
    """Show a fleet, of which each server has what the guide's has, and other tables."""
    from lab.shows.fleet import play_fleet  # which plays acts, too

    return play_fleet(guide.view, stage.stages()["7.6"].root)


def reasons(guide: Guide, mark: str) -> None:
    """Show the lines of the log that have this in them."""
    log = (guide.view / "smtpd.log").read_text(errors="replace").splitlines()
    print("\n" + "\n".join(f"  {line}" for line in log if mark in line), flush=True)


def main(what: str) -> int:
    """Run the demo, then a shell if ``what`` is "shell"; 0 only if all ended as the guide says.

    Without root there is no smtpd, and a rehearsal has to do.
    """
    if not stage.inside():  # it has been said why
        return rehearse()
    print("demo: a Debian trixie with OpenSMTPD 7.6, our filter-dkimsign in the C filter's place,")
    print("demo: in a network of its own; tests/lab/shows/guide.conf is its smtpd.conf", flush=True)
    start = time.monotonic()
    guide = stage.stages()["7.6"].guide()
    try:
        wrong = run(guide, "")
        print("\ndemo: the same with all five tables in SQLite: one command, five edited lines")
        move(guide)
        wrong += run(guide, "")
        print("\ndemo: the same with filters of ours in the places of the two builtin junk lines")
        swap(guide)
        wrong += run(guide, "")
        print("\ndemo: and the log says why mail is junk")
        reasons(guide, " junk check=")
        print("\ndemo: filter-auth in front of these: SPF, DKIM and DMARC of mail from outside")
        authenticate(guide)
        wrong += run(guide, what, inbound.new_signer())
        print("\ndemo: and the log has the results of each")
        reasons(guide, " dmarc=")
        print("\ndemo: three servers in networks of their own, on one PostgreSQL and one Valkey")
        wrong += join(guide)
    except ServerError as error:
        print(f"demo: {error}")
        return 1
    verdict = "all as it should be, five times" if not wrong else f"{wrong} WRONG"
    print(f"\ndemo: {verdict}; it took {time.monotonic() - start:.1f} s and leaves nothing behind")
    print("demo: to look further, `make demo-shell` opens a shell beside the running server")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
