"""Lists of postgrey, in postgrey and in filter-greylist, and names that their rows may mean."""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from ipaddress import ip_address, ip_network

from integration.support.greylist_sides import OPTIONS
from lab.peers.postgrey import PostgreyServer
from lab.support import need_stage
from opensmtpd.mail.client import Client, IPAddress

SOMEBODY, SOME_ADDRESS = "somebody@here.example", ip_address("203.0.113.99")
"""A recipient, and the address of a client, who stand in no list."""
PLACE = "/etc/lab-list"
PIECES = {
    r"(?:smtp\w*|postfix)": ("smtp_out1", "postfix"),
    "(?:mail|fallback-mx)": ("mail", "fallback-mx"),
    r"\d+": ("7", "1042"),
    "[0-9]+": ("7", "1042"),
    "[cv]": ("c", "v"),
    "[12]": ("1", "2"),
    ".*?": ("", "a.b"),
    ".*": ("", "-1.a"),
    r"\.": (".", "."),
    "p?": ("", "p"),
    ".": (".", "x"),
}
"""Pieces of expressions, and texts that they match."""
TOKEN = re.compile("|".join(map(re.escape, PIECES)))


@contextmanager
def postgrey_with(kind: str, text: str) -> Iterator[PostgreyServer]:
    """Have a postgrey with one list of ``clients`` or ``recipients`` of its own."""
    options = [*OPTIONS, f"--whitelist-{kind}={PLACE}"]
    made = PostgreyServer(need_stage("7.6").root, options)
    (made.view / PLACE[1:]).write_text(text)
    with made as server:
        yield server


def spares(server: PostgreyServer, who: str = "", recipient: str = SOMEBODY) -> bool:
    """Return whether postgrey spares a client, by its address or its name, or a recipient."""
    address = str(_address(who) or SOME_ADDRESS)
    name = "unknown" if _address(who) or not who else who
    sent = {"client_address": address, "client_name": name, "sender": "", "recipient": recipient}
    return server.ask(**sent) == "DUNNO"


def client(who: str) -> Client:
    """Return a client, by its address or by a name that leads back to it, in lower case as ever."""
    address = _address(who)
    if address:
        return Client(address, None, None, "fail")
    return Client(SOME_ADDRESS, None, who.lower() or None, "pass" if who else "fail")


def rows(text: str) -> list[str]:
    """Return the rows of a list."""
    return [row for line in text.splitlines() if (row := line.partition("#")[0].strip())]


def clients_of(row: str) -> list[str]:
    """Return addresses and names that a row may mean, and such as are like them."""
    if not row.startswith("/") and re.fullmatch(r"[0-9.]+(/\d+)?|.*:.*", row):
        network = ip_network(row if row.count(".") != 2 else f"{row}.0/24", strict=False)
        first, last = network[0], network[-1]
        return [str(each) for each in (first, last, first - 1, last + 1)]
    names = set(matching(row[1:-1])) if row.startswith("/") else {row}
    return sorted({each for name in names for each in alike(name)})


def matching(expression: str) -> Iterator[str]:
    """Yield two texts that an expression of the lists matches."""
    for number in range(2):
        text = TOKEN.sub(partial(_piece, number), expression.strip("^$"))
        assert re.search(expression, text), (expression, text)
        yield text


def _piece(number: int, found: re.Match[str]) -> str:
    return PIECES[found[0]][number]


def alike(name: str) -> Iterable[str]:
    """Yield a name, and others with a little more, a little less, or other letters."""
    yield from (name, name.upper(), f"mail.{name}", f"a.b.{name}", f"x{name}", f"x-{name}")
    yield from (f"{name}x", f"{name}.example", f"{name}.", name[1:], name[:-1])
    yield name.replace(".", "x", 1)
    yield name.replace(".", "-")


def _address(text: str) -> IPAddress | None:
    try:
        return ip_address(text)
    except ValueError:
        return None
