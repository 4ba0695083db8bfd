"""filter-auth beside the C filter of that name and dkimpy.

Each message has one signature, RSA-2048 and relaxed/relaxed, and comes from a client of its own
session with HELO and MAIL FROM, as under smtpd; a name server with a real zone answers. CPU is that
of all processes of a filter together. The filters do SPF, DKIM and ARC, ours DMARC as well; dkimpy
verifies the signature only. The C filter takes part where ``--original PATH``, or the variable
``OPENSMTPD_FILTER_AUTH_ORIGINAL``, says where it is; Debian has none.
"""

import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial

import dkim

from bench import turns
from bench.child import Child, behind, cpu_seconds, nofile
from bench.contestants import Contestants, contestants, parser
from bench.driver import COMMIT, DATA, STAMP, message
from bench.records import OURS, Figure, Goal, finish, size
from lab.peers.nameserver import ADDRESS, NameServer, Records
from lab.shows.inbound import new_signer

SIZES = ((2_000, 600), (100_000, 100), (1_000_000, 15))
"""Octets, messages in a round."""
C = "C"
GOALS = {2_000: 1.0, 100_000: 0.125, 1_000_000: 0.083}
"""Of the CPU that the C filter takes, at most."""
WINDOW = 8
"""Sessions at a time."""
CLIENT = b"good.example.net|pass|192.0.2.7:33891|192.0.2.1:25"
EHLO, MAIL_FROM = b"1f08300d56622f13", b"1f08300d56622f14"


def zone(record: str) -> Records:
    """Return what the DNS has of the sender, with the record of the key."""
    return {
        ("mail._domainkey.example.com", "TXT"): [record],
        ("example.com", "TXT"): ['"v=spf1 ip4:192.0.2.0/24 -all"'],
        ("good.example.net", "TXT"): ['"v=spf1 ip4:192.0.2.7 -all"'],
        ("good.example.net", "A"): ["192.0.2.7"],
        ("_dmarc.example.com", "TXT"): ['"v=DMARC1; p=reject"'],
    }


def signed(size: int, pem: bytes) -> bytes:
    """Return a message of about ``size`` octets with a signature, in CRLF form."""
    plain = message(size).replace(b"\n", b"\r\n")
    names = [b"from", b"to", b"subject", b"date", b"message-id", b"mime-version", b"content-type"]
    field = dkim.sign(
        plain, b"mail", b"example.com", pem,
        canonicalize=(b"relaxed", b"relaxed"), include_headers=names,
    )  # fmt: skip
    return bytes(field) + plain


def conversation(child: Child, session: bytes, data: list[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Yield what smtpd says in a session with one message, and each time the answer it waits for.

    ``data`` are the lines of the message as smtpd sends them, cut where the session's id belongs.
    """

    def report(event: str, *fields: bytes) -> bytes:
        line = b"|".join((event.encode(), session, *fields))
        wanted = child.report(event)
        return b"report|0.7|%s|smtp-in|%s\n" % (STAMP, line) if wanted else b""

    def ask(phase: str, token: bytes, value: bytes) -> Iterator[tuple[bytes, bytes]]:
        if child.asks(phase):
            line = b"%s|%s|%s|%s" % (phase.encode(), session, token, value)
            result = b"filter-result|%s|%s|" % (session, token)
            yield b"filter|0.7|%s|smtp-in|%s\n" % (STAMP, line), result

    yield report("link-connect", CLIENT) + report("link-greeting", b"mx.test"), b""
    yield from ask("ehlo", EHLO, b"good.example.net")
    yield report("link-identify", b"EHLO|good.example.net") + report("tx-begin", b"018a64ac"), b""
    yield from ask("mail-from", MAIL_FROM, b"alice@example.com")
    sender = report("tx-mail", b"018a64ac|ok|alice@example.com")
    yield sender + session.join(data), b"filter-dataline|%s|%s|.\n" % (session, DATA)
    yield from ask("commit", COMMIT, b"")
    ended = report("tx-commit", b"018a64ac|2000") + report("tx-reset", b"018a64ac")
    yield ended + report("link-disconnect"), b""


class Load:
    """``total`` sessions, WINDOW at a time, each with the same message."""

    def __init__(self, child: Child, text: bytes, total: int, first: int = 0) -> None:
        self._child, self._left, self._begun, self._first = child, total, 0, first
        prefix, blank = b"filter|0.7|%s|smtp-in|data-line|%%s|%s|" % (STAMP, DATA), b"S" * 16
        lines = [*text.replace(b"\r\n", b"\n").splitlines(), b"."]
        self._data = b"".join(prefix % blank + line + b"\n" for line in lines).split(blank)
        self._out = bytearray()
        self._waiting: dict[bytes, Iterator[tuple[bytes, bytes]]] = {}

    def _begin(self) -> None:
        self._begun += 1
        session = b"%016x" % (0x1718C5E500000000 + self._first + self._begun)
        self._go_on(conversation(self._child, session, self._data))

    def _go_on(self, steps: Iterator[tuple[bytes, bytes]]) -> None:
        for said, answer in steps:
            self._out += said
            if answer:
                self._waiting[answer] = steps
                return
        self._left -= 1

    def run(self) -> None:
        """Drive it to the end."""
        link, tail, total = self._child.socket, b"", self._left
        while self._left:
            while self._begun < total and len(self._waiting) < WINDOW:
                self._begin()
            readable, writable, _ = select.select([link], [link] if self._out else [], [], 60)
            if not readable and not writable:
                raise SystemExit("the filter hangs")
            if writable:
                del self._out[: link.send(memoryview(self._out)[: 1 << 20])]
            if readable:
                tail = self._take(tail + link.recv(1 << 20))

    def _take(self, data: bytes) -> bytes:
        """Go on with the sessions whose answers are in it; return what may be half an answer."""
        cut = data.rfind(b"\n") + 1
        for answer in [each for each in self._waiting if data.find(each, 0, cut) >= 0]:
            self._go_on(self._waiting.pop(answer))
        return data[cut:]


def filtered(command: list[str], text: bytes, total: int) -> float:
    """Return the seconds of CPU that a filter takes for a message, once it knows the DNS."""
    child = Child(command)
    Load(child, text, WINDOW).run()
    begun = used(child)
    Load(child, text, total, WINDOW).run()
    seconds = used(child) - begun
    child.close()
    return seconds / total


def used(child: Child) -> float:
    """Return the seconds of CPU that all processes of a filter have had."""
    pid = child.process.pid
    return sum(map(cpu_seconds, (pid, *behind(pid))))


def with_dkimpy(text: bytes, total: int, record: bytes) -> float:
    """Return the seconds of CPU that dkimpy takes to verify a message."""
    begun = time.process_time()
    for _ in range(total):
        if not dkim.verify(text, dnsfunc=lambda name, timeout=5: record):
            raise SystemExit("dkimpy: the signature does not verify")
    return (time.process_time() - begun) / total


def use_name_server() -> None:
    """Have the C filter ask our name server: in the private network only we see this file."""
    with tempfile.NamedTemporaryFile("w", suffix=".resolv", delete=False) as file:
        file.write(f"nameserver {ADDRESS[0]}\n")
    subprocess.run(["mount", "--bind", file.name, "/etc/resolv.conf"], check=True)
    os.unlink(file.name)


def figures(root: Contestants, original: str, rounds: int) -> Iterator[Figure]:
    """Measure all in turns, one size after the other."""
    signer = new_signer()
    commands = {OURS: root.ours("filter-auth", "--nameserver", ADDRESS[0], "mx.test")}
    if original:
        commands[C] = [original, "mx.test"]
    with NameServer(zone(signer.record)):
        for octets, total in SIZES:
            text = signed(octets, signer.pem)
            runs: dict[str, Callable[[], float]] = {
                name: partial(filtered, command, text, total) for name, command in commands.items()
            }
            runs["dkimpy"] = partial(with_dkimpy, text, total, signer.text.encode())
            taken = turns.take(runs, rounds)
            yield Figure(
                "CPU a message", "µs", size(octets), "less",
                {name: [each * 1e6 for each in found] for name, found in taken.items()},
                (Goal(GOALS[octets], C),) if original else (), {"bytes": octets},
            )  # fmt: skip


def main() -> int:
    """Measure; returns the exit status."""
    options = parser("filter-auth beside the C filter.", rounds=3)
    options.add_argument(
        "--original",
        metavar="PATH",
        default=os.environ.get("OPENSMTPD_FILTER_AUTH_ORIGINAL", ""),
        help="the C filter-auth",
    )
    chosen = options.parse_args()
    nofile()
    notes = [] if chosen.original else ["The C filter-auth was not at hand; Debian has none."]
    if chosen.original:
        use_name_server()
    with contestants("auth", chosen.ours) as root:
        return finish("auth", figures(root, chosen.original, chosen.rounds), notes)


if __name__ == "__main__":
    sys.exit(main())
