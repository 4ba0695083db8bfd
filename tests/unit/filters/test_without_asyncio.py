"""The process that smtpd talks to serves without asyncio, where no handler is a coroutine.

It would take 10 MB and 45 ms of each start. c-ares and what reads packets of the DNS are in the
resolver's process alone.
"""

import sys
from collections.abc import Iterator

import pytest

from lab.peers.nameserver import NameServer
from unit.support.child import Child
from unit.support.dns_lab import RECORDS, port
from unit.support.talk import report, request

UNWANTED = ("asyncio", "concurrent.futures", "aiodns", "pycares", "dns")
PROGRAM = f"""
import os, sys

end = os._exit

def told(status):
    found = [name for name in {UNWANTED!r} if name in sys.modules]
    os.write(2, f"modules {{found}}\\n".encode())
    end(status)

os._exit = told
from opensmtpd_filters.MODULE import MAIN

MAIN()
"""
"""Runs a filter, and says at its end what it has loaded: that of a child is not seen here."""


class Filter(Child):
    """A program of ours as smtpd's child."""

    def __init__(self, module: str, main: str, *argv: str) -> None:
        program = PROGRAM.replace("MODULE", module).replace("MAIN", main)
        self._begin([sys.executable, "-c", program, *argv])


@pytest.fixture
def nameserver() -> Iterator[str]:
    address = ("127.0.0.1", port())
    with NameServer(RECORDS, address):
        yield f"--nameserver={address[0]}:{address[1]}"


@pytest.mark.parametrize(
    ("module", "main", "options"),
    [
        ("rdns", "main", []),
        ("rdns", "main", ["--verify", "--helo-dns=junk"]),
        ("rdns", "main_fcrdns", []),
        ("rdns", "main_fcrdns", ["--verify"]),
        ("dnsbl", "main", ["bl1.example", "bl2.example"]),
        ("auth", "main", ["--spf-reject"]),
    ],
)
def test_the_front_has_no_asyncio(
    nameserver: str, module: str, main: str, options: list[str]
) -> None:
    link = report(b"link-connect", b"<unknown>", b"fail", b"192.0.2.5:1", b"192.0.2.1:25")
    with Filter(module, main, nameserver, *options) as child:
        registered = child.hello()
        child.send(link)
        if b"|connect\n" in registered:  # its questions go to the name server, and are answered
            child.send(request(b"connect", b"<unknown>|192.0.2.5"))
            child.until(b"\n")
        if b"|mail-from\n" in registered:
            child.send(request(b"mail-from", b"alice@example.org"))
            child.until(b"\n")
        status, _, log = child.end()
    assert status == 0
    assert log.splitlines()[-1] == "modules []"
