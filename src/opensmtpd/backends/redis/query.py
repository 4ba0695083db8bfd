"""The queries of a configuration file: commands of the server, with places for the key.

A query is split at spaces first and then given the key, which is one word or a part of one whatever
it holds. The C program hands the line to hiredis as a format, where a second ``%s`` crashes it.
Source: ``redisvFormatCommand`` in ``hiredis.c`` 1.2.
"""

import re

from opensmtpd.backends.redis.resp import string
from opensmtpd.table import to_bytes

FORBIDDEN = frozenset(
    [
        *("subscribe", "psubscribe", "ssubscribe", "unsubscribe", "punsubscribe", "sunsubscribe"),
        *("monitor", "sync", "psync", "replconf", "multi", "exec", "discard", "watch", "unwatch"),
        *("select", "auth", "hello", "reset", "quit", "client", "readonly", "readwrite", "asking"),
        *("flushdb", "flushall", "swapdb", "replicaof", "slaveof", "shutdown", "debug"),
    ]
)
"""Commands behind which replies are not those to the questions any more, or the data is gone."""

_PERCENT = re.compile(r"%(.)?")


class Query:
    """A line of the file."""

    def __init__(self, text: str, line: int | None = None) -> None:
        """Raises ValueError for what is no command with places for a key."""
        self.text, self.line = text, line
        words = [_pieces(word) for word in text.split(" ") if word]
        self.size = len(words)
        """Its words."""
        self.keyed = any(len(pieces) > 1 for pieces in words)
        """The key stands in it."""
        self.name = words[0][0].decode("ascii", "replace") if words else ""
        """The command."""
        _must_be_command(self.name, words)
        self._parts = _packed(words)

    def command(self, key: bytes) -> bytes:
        """Return the command for a key, as it goes to the server."""
        parts = [
            part if isinstance(part, bytes) else string(key.join(part)) for part in self._parts
        ]
        return b"".join(parts)


def _pieces(word: str) -> list[bytes]:
    """Return what stands before, between and behind the places for the key."""
    pieces, at = [""], 0
    for found in _PERCENT.finditer(word):
        pieces[-1] += word[at : found.start()]
        at = found.end()
        if found[1] == "s":
            pieces.append("")
        elif found[1] in ("%", None):  # alone at the end, it is one
            pieces[-1] += "%"
        else:
            raise ValueError(f"'{found[0]}' is no place for the key; write %s, or %% for a percent")
    pieces[-1] += word[at:]
    return [to_bytes(piece) for piece in pieces]


def _must_be_command(name: str, words: list[list[bytes]]) -> None:
    if not words or len(words[0]) > 1:
        raise ValueError("it begins with no command")
    if name.lower() in FORBIDDEN:
        raise ValueError(f"the command {name.upper()} gives no answers to keys")


def _packed(words: list[list[bytes]]) -> list[bytes | list[bytes]]:
    """Return constant bytes, and between them the pieces of words that have the key."""
    parts: list[bytes | list[bytes]] = [b"*%d\r\n" % len(words)]
    for pieces in words:
        last = parts[-1]
        if len(pieces) > 1:
            parts.append(pieces)
        elif isinstance(last, bytes):
            parts[-1] = last + string(pieces[0])
        else:
            parts.append(string(pieces[0]))
    return parts
