"""A server whose listeners and relay have filter-metrics, and what it tells."""

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from lab.root import inside
from lab.shows import moves
from lab.shows.guide import Guide
from unit.support.openmetrics import parsed

STATE = "/var/lib/opensmtpd-plugins"
COUNTERS, OUT = f"{STATE}/metrics", f"{STATE}/metrics-out"
FILE, SOCKET = f"{OUT}/opensmtpd.prom", f"{OUT}/metrics.sock"
REQUEST = b"GET /metrics HTTP/1.0\r\n\r\n"
LINE = (
    f'filter metrics proc-exec "filter-metrics --file {FILE} --socket {SOCKET}"'
    " user _metrics group _metrics\n"
)
Sample = tuple[str, ...]


def make_folders(view: Path) -> None:
    """Do what the package does when it is installed."""
    inside.done(view, "useradd", "--system", "--user-group", "_metrics")
    inside.done(view, "mkdir", "-p", "-m", "0755", STATE)
    for folder, mode in ((COUNTERS, "1733"), (OUT, "0755")):
        inside.done(view, "install", "-d", "-o", "_metrics", "-g", "_metrics", "-m", mode, folder)


def prepare(guide: Guide) -> None:
    """Have all listeners and the relay counted, with filters and a table of ours."""
    make_folders(guide.view)
    moves.to_filters(guide)
    moves.readable(guide, "/etc/mail/aliases")
    conf = guide.view / moves.CONF[1:]
    text = conf.read_text()
    for old, new in (
        ("table aliases file:", "table aliases flat:"),
        ("# macros", f"{LINE}\n# macros"),
        ("filter { check_rdns", "filter { metrics check_rdns"),
        ("filter { dkimsign }", "filter { metrics dkimsign }"),
        ('filter "dkimsign"\n', "filter { metrics dkimsign }\n"),
        ('"outbound" relay', '"outbound" relay filter metrics'),
    ):
        assert old in text
        text = text.replace(old, new)
    conf.write_text(text)
    moves.check(guide)


@contextmanager
def connected(view: Path) -> Iterator[socket.socket]:
    """Connect to the socket; its path in the view may be too long for an address."""
    folder = os.open(view / OUT[1:], os.O_PATH)
    try:
        with closing(socket.socket(socket.AF_UNIX)) as client:
            client.settimeout(30)
            client.connect(f"/proc/self/fd/{folder}/{SOCKET.rpartition('/')[2]}")
            yield client
    finally:
        os.close(folder)


def fetched(view: Path) -> str:
    """Return what the socket answers, without its head."""
    with connected(view) as client:
        client.sendall(REQUEST)
        answer = b"".join(iter(lambda: client.recv(1 << 16), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.0 200 OK\r\n")
    assert f"Content-Length: {len(body)}".encode() in head.split(b"\r\n")
    return body.decode()


def samples(text: str) -> dict[Sample, float]:
    """Return all samples by name and values of labels, as the official parser reads them."""
    return {
        (each.name, *each.labels.values()): each.value
        for family in parsed(text)
        for each in family.samples
    }


def told(view: Path, wanted: Callable[[dict[Sample, float]], bool], seconds: float = 30.0) -> None:
    """Wait until the socket tells what is wanted. Raises TimeoutError.

    Reports come a moment after their events, and other programs write every 2.5 seconds.
    """
    end = time.monotonic() + seconds
    while True:
        found = samples(fetched(view))
        if wanted(found):
            return
        if time.monotonic() > end:
            raise TimeoutError("not told in time")
        time.sleep(0.2)


def settled(view: Path) -> dict[Sample, float]:
    """Return what is told when it does not change any more: no session is left, all is written."""
    while True:
        before = samples(fetched(view))
        time.sleep(3)
        found = samples(fetched(view))
        if found == before and not found["opensmtpd_open_sessions", "in"]:
            return found
