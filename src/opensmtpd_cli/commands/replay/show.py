"""``opensmtpd-plugins show``: print a capture."""

import signal
import time
from collections.abc import Iterator

import click

from opensmtpd.capture.format import CapturedLines, CaptureEnd, CaptureEntry, Speaker
from opensmtpd.capture.reader import CaptureReader
from opensmtpd_cli import terminal
from opensmtpd_cli.output import complain

_MARKS = {Speaker.SMTPD: "<", Speaker.PLUGIN: ">"}


@click.command()
@click.argument("capture", type=click.Path())
@click.option(
    "--session",
    metavar="ID",
    help="Print the lines of one session only; of a table, those of one request.",
)
@click.pass_context
def show(ctx: click.Context, capture: str, session: str | None) -> None:
    """Print a capture that filter-record or table-record wrote.

    Each line has its time, and the side that wrote it: < for smtpd, > for the filter or the table.
    Where *** stands, something was taken out: a password, say.

    Exit status: 0 all was printed, 1 there is no such capture, 2 usage, 3 it is damaged, and was
    printed up to there.
    """
    reader = CaptureReader(capture)
    header = reader.header
    begun = time.strftime("%Y-%m-%d %H:%M:%S %z", time.localtime(header.begun))
    terminal.say(f"# {terminal.shown(header.program)}, started {begun}", dim=True)
    if reader.first > 1:
        terminal.say("# older files of this capture have been removed", dim=True)
    wanted = None if session is None else session.encode("utf-8", "surrogateescape")
    for entry in reader:
        for line in _lines(entry, wanted):
            terminal.say(line)
    if reader.damage:
        complain(reader.damage)
        ctx.exit(3)


def _lines(entry: CaptureEntry, session: bytes | None) -> Iterator[str]:
    stamp = _stamp(entry.time)
    if isinstance(entry, CapturedLines):
        for line in entry.data[:-1].split(b"\n"):
            if session is None or session == _session(line):
                yield f"{stamp} {_MARKS[entry.speaker]} {terminal.shown(line)}"
    elif isinstance(entry, CaptureEnd):
        yield f"{stamp} # the program ended with {_status(entry.status)}"
    else:
        yield f"{stamp} # {entry.size:,} bytes were not recorded"


def _session(line: bytes) -> bytes:
    """Return the session that a line is of; of a table, the id of the request."""
    fields = line.split(b"|", 7)
    if fields[0] in (b"report", b"filter"):
        return fields[5] if len(fields) > 5 else b""
    if fields[0] == b"table":
        at = 5 if fields[4:5] == [b"update"] else 6
        return fields[at] if len(fields) > at else b""
    return fields[1] if len(fields) > 2 and fields[0] != b"register" else b""


def _stamp(moment: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(moment)) + f".{int(moment % 1 * 1e6):06d}"


def _status(status: int) -> str:
    if status >= 0:
        return f"status {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"
