"""The file that keeps a cache from one process to the next.

A line that names format and version, the SHA-256 of what follows, and a msgpack array of entries
``[name, kind, records or nil, expiry on the wall clock]``. The hash is there because a flipped bit
must not become a verdict; a file that is wrong in any way is not used.
"""

import hashlib
import os
import stat
from collections.abc import Iterable
from ipaddress import ip_address
from itertools import count
from typing import Any

from opensmtpd.dns.cache import Entry
from opensmtpd.dns.names import askable
from opensmtpd.dns.questions import Absent, Found, Kind, Question
from opensmtpd.errors import LocalError

MAGIC = b"opensmtpd-dns-cache 1\n"
_numbers = count()
FILE_MAX = 64 * 1024 * 1024
"""Bytes: more than any cache takes."""


def load(path: str) -> list[Entry]:
    """Return the entries in a file, with their times on the wall clock; none if there is no file.

    Raises LocalError for a file that is not to be used.
    """
    try:
        data = _read(path)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise LocalError(error.strerror or type(error).__name__) from None
    digest, payload = data[len(MAGIC) :][:32], data[len(MAGIC) + 32 :]
    if not data.startswith(MAGIC):
        raise LocalError("it has another version or is no cache")
    if hashlib.sha256(payload).digest() != digest:
        raise LocalError("it is damaged")
    return _entries(payload)


def _read(path: str) -> bytes:
    # What others may have written could say anything about anybody.
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(fd, "rb") as file:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            raise LocalError("it is no regular file")
        if found.st_uid != os.geteuid() or found.st_mode & 0o022:
            raise LocalError("others may have written it")
        if found.st_size > FILE_MAX:
            raise LocalError("it is too large")
        return file.read(FILE_MAX + 1)


def _entries(payload: bytes) -> list[Entry]:
    import msgpack  # noqa: PLC0415  only for who has a cache file

    try:
        rows = msgpack.unpackb(payload, strict_map_key=True)
        return [_entry(*row) for row in rows]
    except Exception:  # whatever a library makes of what is none of ours
        raise LocalError("it has another version or is no cache") from None


def _entry(name: str, kind: str, records: list[str] | None, expires: float) -> Entry:
    if not askable(name):
        raise ValueError
    reply = Absent() if records is None else Found(tuple(records))
    for record in records or ():
        if kind in (Kind.A, Kind.AAAA) and str(ip_address(record)) != record:
            raise ValueError
        if kind in (Kind.PTR, Kind.MX) and not askable(record):
            raise ValueError
        record.encode("latin-1")
    reply.landed = 0.0
    return Entry(Question(name, Kind(kind)), reply, float(expires))


def save(path: str, entries: Iterable[Entry]) -> None:
    """Write entries, with their times on the wall clock. Raises OSError; the old file stays then.

    Readers see the old file or the new one, never half of one.
    """
    import msgpack  # noqa: PLC0415  only for who has a cache file

    rows: list[list[Any]] = [
        [question.name, str(question.kind), _records(reply), expires]
        for question, reply, expires in entries
    ]
    payload = msgpack.packb(rows)
    new = f"{path}.{os.getpid()}.{next(_numbers)}"  # two threads may be at it
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with open(fd, "wb") as file:
            file.write(MAGIC + hashlib.sha256(payload).digest() + payload)
        os.replace(new, path)
    except BaseException:
        os.unlink(new)
        raise


def _records(reply: object) -> tuple[str, ...] | None:
    return reply.records if isinstance(reply, Found) else None
