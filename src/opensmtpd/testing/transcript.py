"""Recordings of a server and a plugin, and their replay to a filter of ours.

In a recording a line that begins with ``< `` is smtpd's, one with ``> `` the plugin's, and one
with ``#`` a remark.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from opensmtpd.testing.driver import Driver, Plugin
from opensmtpd.testing.model.answers import FilterLine
from opensmtpd.testing.model.judge import AskedRequest, Judge
from opensmtpd.testing.model.registry import Registry, release


class Transcript(NamedTuple):
    """A recording: lines without line ends, whether they are smtpd's or the plugin's."""

    lines: tuple[tuple[bool, bytes], ...]

    @classmethod
    def parse(cls, text: bytes) -> "Transcript":
        """Read a recording. Raises ValueError for a line that is neither side's."""
        lines = []
        for number, line in enumerate(text.removesuffix(b"\n").split(b"\n"), 1):
            if line.startswith(b"#"):
                continue
            if line[:2] not in (b"< ", b"> "):
                raise ValueError(f"line {number} begins with neither '< ' nor '> '")
            lines.append((line.startswith(b"<"), line[2:]))
        return cls(tuple(lines))

    @classmethod
    def read(cls, path: Path) -> "Transcript":
        """Read a recording from a file. Raises OSError, ValueError."""
        return cls.parse(path.read_bytes())

    @property
    def smtpd(self) -> list[bytes]:
        """The lines that smtpd sent."""
        return [line for ours, line in self.lines if ours]

    @property
    def plugin(self) -> list[bytes]:
        """The lines that the plugin answered then."""
        return [line for ours, line in self.lines if not ours]

    @property
    def version(self) -> str:
        """The smtpd that was recorded, as it names itself. Raises ValueError without a name."""
        key = b"config|smtpd-version|"
        for line in self.smtpd:
            if line.startswith(key):
                return line.removeprefix(key).decode("ascii")
        raise ValueError("the recording does not say which smtpd it is of")


@dataclass
class Replay:
    """The answers of a filter to a recording."""

    written: bytes = b""
    """Every byte it wrote."""
    answers: list[FilterLine] = field(default_factory=list)
    """Its answers and message lines, in the order in which it gave them."""
    unanswered: list[AskedRequest] = field(default_factory=list)
    """The requests it left without an answer: sessions that would hang."""

    def of(self, session: bytes) -> list[FilterLine]:
        """Return the answers for one session.

        Their order is what counts: smtpd does not care how those of different sessions mix.
        """
        return [answer for answer in self.answers if answer.session == session]


def replay(transcript: Transcript, plugin: Plugin, *, chunk: int | None = None) -> Replay:
    """Feed smtpd's side of a recording to a filter, and judge what it answers.

    The filter gets only what it registers for, as from smtpd: line by line, or in chunks of
    ``chunk`` bytes. Raises Fatal where smtpd would have died. Recorded sessions go on in spite of a
    filter that refuses: for such a one, use ``Smtpd``.
    """
    done = Replay()
    judge = Judge(release(transcript.version), done.answers.append)

    def take(data: bytes) -> None:
        done.written += data
        judge.receive(data)

    lines = transcript.smtpd
    start = lines.index(b"config|ready") + 1
    with Driver(plugin, take) as driver:
        _feed(lines[:start], judge, driver, chunk)
        if not judge.registry.ready:
            raise ValueError("the filter does not end its registration")
        _feed(_registered(lines[start:], judge.registry), judge, driver, chunk)
    done.unanswered = judge.waiting()
    return done


def _registered(lines: Iterable[bytes], registry: Registry) -> Iterator[bytes]:
    for line in lines:
        kind, event = _kind(line)
        if registry.hears(event) if kind == b"report" else registry.asked(event):
            yield line


def _kind(line: bytes) -> tuple[bytes, str]:
    fields = line.split(b"|", 5)
    return fields[0], fields[4].decode("ascii") if len(fields) > 5 else ""


def _feed(lines: Iterable[bytes], judge: Judge, driver: Driver, chunk: int | None) -> None:
    if chunk is None:
        for line in lines:
            _tell(judge, line)
            driver.feed(line + b"\n")
        return
    data = b""
    sent: list[bytes] = []
    for line in lines:
        sent.append(line)
        data += line + b"\n"
    told = 0
    for at in range(0, len(data), chunk):
        piece = data[at : at + chunk]
        for line in sent[told : told + piece.count(b"\n")]:
            _tell(judge, line)
        told += piece.count(b"\n")
        driver.feed(piece)


def _tell(judge: Judge, line: bytes) -> None:
    """Tell the judge about a request of smtpd.

    Not that a session is over: in a large chunk its end comes before the answers to its beginning.
    """
    kind, event = _kind(line)
    if kind == b"filter":
        session, token, payload = line.split(b"|", 7)[5:]
        if event == "data-line":
            judge.sent_line(session, token, payload)
        else:
            judge.asked(AskedRequest(session, event, token))
