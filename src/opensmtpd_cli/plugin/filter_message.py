"""A message behind a filter: smtpd's own fields, and the filter's changes to the header."""

from collections import Counter
from collections.abc import Sequence

Field = tuple[bytes, ...]
"""The lines of a header field."""


def fields(lines: Sequence[bytes]) -> list[Field]:
    """Return the header fields at the top of a message."""
    found: list[list[bytes]] = []
    for line in lines:
        if not line:
            break
        if line.startswith((b" ", b"\t")) and found:
            found[-1].append(line)
        else:
            found.append([line])
    return [tuple(field) for field in found]


def without(lines: Sequence[bytes], trace: Sequence[bytes]) -> list[bytes]:
    """Return a message without the fields ``trace``, where they still are as they were."""
    left = list(lines)
    for field in fields(trace):
        end = left.index(b"") if b"" in left else len(left)
        for at in range(end - len(field) + 1):
            if left[at] == field[0] and tuple(left[at : at + len(field)]) == field:
                del left[at : at + len(field)]
                break
    return left


def names(found: Counter[Field]) -> list[bytes]:
    """Return the names of fields, each as often as there are such fields."""
    return [field[0].partition(b":")[0].strip() for field in found.elements()]


def changes(before: Sequence[bytes], after: Sequence[bytes]) -> tuple[list[bytes], list[bytes]]:
    """Return the names of the fields that were added, and of those that were removed.

    A field that was changed is among both.
    """
    old, new = Counter(fields(before)), Counter(fields(after))
    return names(new - old), names(old - new)


def ending(message: bytes) -> bytes:
    """Return the line end of a message's first line, which all its lines get."""
    first = message.partition(b"\n")
    return b"\r\n" if first[1] and first[0].endswith(b"\r") else b"\n"
