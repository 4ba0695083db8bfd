"""filter-dkimsign and the C original with the same flags, each spoken to as smtpd does."""

import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lab.root.root import loaded
from opensmtpd_filters import dkimsign
from unit.support.dkim_material import ED25519_PEM, RSA_PEM, tags
from unit.support.talk import HELLO, Talk, data

Lines = list[bytes]
Flags = tuple[str, ...]


class Died(Exception):
    """The C filter ended: under smtpd this stops the whole mail server."""


class Original:
    """The C filter of Debian 13, spoken to as smtpd speaks to it."""

    def __init__(self, root: Path, flags: Sequence[str]) -> None:
        mine, its = socket.socketpair()
        self.socket = mine
        self.process = subprocess.Popen(
            [*loaded(root, "usr/libexec/opensmtpd/filter-dkimsign"), *flags],
            stdin=its.fileno(), stdout=its.fileno(), stderr=subprocess.PIPE,
        )  # fmt: skip
        its.close()
        mine.settimeout(30)
        self.lines = mine.makefile("rb")
        self.count = 0
        mine.sendall(HELLO)
        while self.read() != b"register|ready":
            pass

    def read(self) -> bytes:
        try:
            line = self.lines.readline()
        except ConnectionResetError:
            line = b""
        if not line:
            self.process.wait(30)
            raise Died(self.process.returncode)
        return line.removesuffix(b"\n")

    def sign(self, message: Lines) -> Lines:
        """Return the lines that come back, the final dot last. Raises Died."""
        self.count += 1
        session, token = b"%016x" % self.count, b"%016x" % (self.count + 1000)

        def line(kind: bytes, event: bytes, *fields: bytes) -> bytes:
            return (
                b"|".join((kind, b"0.7|1795335705.127288|smtp-in", event, session, *fields)) + b"\n"
            )

        stream = [line(b"report", b"tx-begin", b"00000000")]
        stream += [line(b"filter", b"data-line", token, text) for text in (*stuffed(message), b".")]
        stream += [
            line(b"filter", b"commit", token, b""),
            line(b"report", b"tx-commit", b"00000000", b"100"),
            line(b"report", b"link-disconnect"),
        ]
        # It answers before it has read all, and would block if nobody took the answer.
        writer = threading.Thread(target=self.send, args=(b"".join(stream),))
        writer.start()
        answer: Lines = []
        try:
            while not (came := self.read()).startswith(b"filter-result|"):
                answer.append(came.split(b"|", 3)[3])
        finally:
            writer.join()
        return answer

    def send(self, stream: bytes) -> None:
        try:
            self.socket.sendall(stream)
        except OSError:
            return  # it died: the reader says so

    def close(self) -> None:
        self.lines.close()
        self.socket.close()
        self.process.wait(30)
        assert self.process.stderr is not None
        self.process.stderr.close()


def stuffed(message: Lines) -> Lines:
    return [b"." + line if line.startswith(b".") else line for line in message]


class Pair:
    """Both programs with the same flags."""

    def __init__(self, root: Path, flags: Sequence[str]) -> None:
        self.root, self.flags = root, flags
        self.filter = dkimsign.DkimSign(dkimsign.parser().parse_args([*flags]))
        self.original: Original | None = None

    def theirs(self, message: Lines) -> Lines:
        try:
            self.original = self.original or Original(self.root, self.flags)
            return self.original.sign(message)
        except Died:
            self.close()
            raise

    def ours(self, message: Lines, now: int = 0) -> Lines:
        self.filter.signer.clock = lambda: now
        talk = Talk(self.filter)
        answer = talk.say(data(*stuffed(message), b".")) + talk.rest()
        return [line.split(b"|", 3)[3] for line in answer.split(b"\n")[:-1]]

    def agree(self, message: Lines) -> None:
        """Both sign, and both with the same bytes."""
        theirs = self.theirs(message)
        assert theirs[0].startswith(b"DKIM-Signature: ")
        found = tags(theirs)
        now = found.get(b"t") or b"%d" % (int(found.get(b"x", b"3600")) - 3600)
        assert self.ours(message, int(now)) == theirs

    def close(self) -> None:
        if self.original is not None:
            self.original.close()
            self.original = None


@contextmanager
def pairs(root: Path, folder: Path) -> Iterator[Callable[..., Pair]]:
    """Give a function that makes pairs of the filters in ``root``; keys go into ``folder``."""
    made: list[Pair] = []
    for name, text in (("rsa.key", RSA_PEM), ("ed.key", ED25519_PEM)):
        (folder / name).write_text(text, encoding="ascii")
        (folder / name).chmod(0o600)

    def make(*flags: str, domain: str = "example.com", selector: str = "mail") -> Pair:
        key = folder / ("ed.key" if "ed25519-sha256" in flags else "rsa.key")
        made.append(Pair(root, ["-d", domain, "-s", selector, "-k", str(key), *flags]))
        return made[-1]

    try:
        yield make
    finally:
        for one in made:
            one.close()
            one.filter.stop()
