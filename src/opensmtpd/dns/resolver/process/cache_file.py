"""The file that keeps a cache from one process to the next.

It has a line that names format and version, the SHA-256 of the rest, and a msgpack array of entries
``[name, record type, content, expiry on the wall clock]``, whose content is an array of records,
or for an absence whether the name does not exist. The hash keeps a flipped bit from changing a
decision about a client. A file with any error is not used.
"""

import hashlib
import os
import stat
from collections.abc import Iterable
from itertools import count
from typing import Any

import msgpack

from opensmtpd.dns.names import is_wire_name
from opensmtpd.dns.question import Absent, Found, Question, RecordType
from opensmtpd.dns.resolver.cache import CacheEntry
from opensmtpd.dns.resolver.records import checked
from opensmtpd.errors import LocalError

MAGIC = b"opensmtpd-dns-cache 2\n"
_numbers = count()
FILE_MAX = 64 * 1024 * 1024
"""Bytes that are read, at most: more than any cache takes."""


def load(path: str) -> list[CacheEntry]:
    """Return the entries in a file, with their times on the wall clock.

    The list is empty if there is no file. Raises LocalError for a file that must not be used.
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
    # Another user who may write the file could decide about any client.
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


def _entries(payload: bytes) -> list[CacheEntry]:
    try:
        rows = msgpack.unpackb(payload, strict_map_key=True)
        return [_entry(*row) for row in rows]
    except Exception:  # msgpack and _entry raise many types for foreign data
        raise LocalError("it has another version or is no cache") from None


def _entry(name: str, kind: str, content: list[str] | bool, expires: float) -> CacheEntry:
    if not is_wire_name(name):
        raise ValueError
    question = Question(name, RecordType(kind))
    reply = Absent(content) if isinstance(content, bool) else Found(checked(question.kind, content))
    reply.received_at = 0.0
    return CacheEntry(question, reply, float(expires))


def save(path: str, entries: Iterable[CacheEntry]) -> None:
    """Write entries, with their times on the wall clock.

    Readers see the old file or the new one, never half of one. Raises OSError; then the old file
    stays.
    """
    rows: list[list[Any]] = [
        [question.name, str(question.kind), _content(reply), expires]
        for question, reply, expires in entries
    ]
    payload = msgpack.packb(rows)
    new = f"{path}.{os.getpid()}.{next(_numbers)}"  # two threads may save at a time
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with open(fd, "wb") as file:
            file.write(MAGIC + hashlib.sha256(payload).digest() + payload)
        os.replace(new, path)
    except BaseException:
        os.unlink(new)
        raise


def _content(reply: object) -> tuple[str, ...] | bool:
    if isinstance(reply, Found):
        return reply.records
    return isinstance(reply, Absent) and reply.nxdomain
