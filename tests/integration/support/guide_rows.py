"""The guide's files and its users as rows, for tables whose rows are on a server."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from lab.root import inside
from lab.shows import moves
from lab.shows.guide import PASSWORD, Guide

Row = tuple[str, ...]


def rows(guide: Guide, smtpd: str) -> Mapping[str, Sequence[Row]]:
    """Return the rows of each table, whose key names it and its columns as SQL does."""
    etc = guide.view / "etc/mail"
    return {
        "aliases (name, target)": pairs(etc / "aliases"),
        "senders (name, address)": pairs(etc / "users"),
        "domains (name)": [(line,) for line in (etc / "domains").read_text().split()],
        "networks (name)": [(line,) for line in (etc / "relayaddr").read_text().split()],
        "sources (address)": [(address,) for address in moves.SOURCES[smtpd]],
        "people (name, uid, gid, home, hash)": list(_people(guide)),
    }


def pairs(path: Path) -> list[tuple[str, str]]:
    """Return the keys of a file, and what stands behind them."""
    parts = (line.partition(":") for line in path.read_text().splitlines())
    return [(key, value.strip()) for key, _, value in parts]


def _people(guide: Guide) -> Iterator[Row]:
    for line in (guide.view / "etc/passwd").read_text().splitlines():
        name, _, uid, gid, _, home, _ = line.split(":")
        if name in ("alice", "username"):
            yield name, uid, gid, home, hashed(guide, PASSWORD)


def hashed(guide: Guide, password: str) -> str:
    """Return a hash that smtpd 7.6 can check."""
    return inside.done(guide.view, "smtpctl", "encrypt", password).strip()
