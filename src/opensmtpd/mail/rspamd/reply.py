"""Read an answer of rspamd: JSON, as ``/checkv2`` writes it.

All of it is doubted, though it comes from our own server: what mail has in it gets into symbols,
options and fields.
"""

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any, TypeGuard

from opensmtpd.errors import ServerRefused
from opensmtpd.mail.rspamd.verdict import RspamdVerdict

ADD_HEADER = "add header"
# A verdict has to fit into a frame of 1 MiB, whatever mail has brought rspamd to say.
SYMBOLS_MAX = 1000
"""Symbols that are written into a message; rspamd itself has a few hundred."""
FIELDS_MAX = 1000
"""Fields that are added, or removed, at most."""
ADDED_MAX = 256 << 10
"""Bytes of all fields that are added."""
NAME_MAX = 100
"""Bytes of the name of an action, a symbol, or a field that is removed."""
FEW = 10
"""DKIM-Signature fields, and fields that mark spam, at most."""
TEXT_MAX = 20_000
"""Bytes of a subject, and of the value of each of these."""
REPLY_MAX = 2000
"""Characters of a reply; smtpd takes fewer."""
_IMPOSSIBLE = ("change_from", "add_rcpt", "del_rcpt")
"""Changes that rspamd may want of a milter, and that smtpd lets no filter make."""


def verdict(body: bytes) -> RspamdVerdict:
    """Return the verdict in the body of an answer. Raises ServerRefused for one that has none."""
    try:
        answer = json.loads(body.decode("utf-8", "surrogateescape"), parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise ServerRefused("its answer is no JSON") from None
    if not isinstance(answer, dict) or not isinstance(answer.get("action"), str):
        raise ServerRefused("its answer names no action")
    milter = _dict(answer.get("milter"))
    reject = milter.get("reject", answer.get("reject"))
    action = _text(answer["action"])[:NAME_MAX]
    added, left_out = _within(_added(_dict(milter.get("add_headers"))))
    return RspamdVerdict(
        action=action,
        score=_number(answer.get("score")),
        required=_number(answer.get("required_score")),
        reply=_text(_dict(answer.get("messages")).get("smtp_message"))[:REPLY_MAX],
        subject=_subject(answer.get("subject")),
        signatures=[*filter(None, map(_bytes, _list(answer.get("dkim-signature"))))][:FEW],
        symbols=_symbols(answer) if action == ADD_HEADER else [],
        removed=list(islice(_removed(_dict(milter.get("remove_headers"))), FIELDS_MAX)),
        added=added,
        spam=_spam(milter.get("spam_header")) if action == ADD_HEADER else [],
        harmless=milter.get("no_action") is True,
        quarantine=action == "quarantine" or (action == "reject" and reject == "quarantine"),
        left_out=left_out,
        impossible=[name for name in _IMPOSSIBLE if milter.get(name)],
    )


def _no_number(text: str) -> None:
    """Refuse NaN and Infinity, which are no JSON (RFC 8259 section 6)."""
    raise ValueError(text)


def _symbols(answer: dict[str, Any]) -> list[list[Any]]:
    symbols = _dict(answer.get("symbols"))
    named = ((_raw(name), symbol) for name, symbol in islice(symbols.items(), SYMBOLS_MAX))
    return [
        [name, _number(_dict(symbol).get("score"))]
        for name, symbol in named
        if len(name) <= NAME_MAX
    ]


def _removed(fields: dict[str, Any]) -> Iterator[list[Any]]:
    """Yield the fields to remove: ``{NAME: 0}``, ``{NAME: -1}``, ``{NAME: [1, 3]}``."""
    for name, numbers in fields.items():
        for number in _list(numbers) if len(_raw(name)) <= NAME_MAX else ():
            if _is_place(number):
                yield [_raw(name), int(number)]


def _added(fields: dict[str, Any]) -> Iterator[list[Any]]:
    """Yield the fields to add: values are a text, ``{"value": …, "order": …}``, or lists of both.

    An object without an order stands at the end of the header, as for rspamd's own milter.
    """
    for name, values in fields.items():
        for value in _list(values):
            if isinstance(value, str):
                yield [_raw(name), _raw(value), None]
                continue
            found = _dict(value)
            text, order = found.get("value"), found.get("order", found.get("index"))
            if isinstance(text, str):
                yield [_raw(name), _raw(text), int(order) if _is_place(order) else -1]


def _within(fields: Iterator[list[Any]]) -> tuple[list[list[Any]], list[str]]:
    """Return the fields that there is room for, and the names of the others."""
    kept, left_out, room = list[list[Any]](), list[str](), ADDED_MAX
    for name, value, place in islice(fields, FIELDS_MAX):
        size = len(name) + len(value)
        if size <= room:
            room -= size
            kept.append([name, value, place])
        else:
            left_out.append(name[:80].decode("utf-8", "replace"))
    return kept, left_out


def _spam(fields: object) -> list[list[bytes]]:
    """Return the fields that rspamd wants in the place of ``X-Spam: yes``."""
    named = {"X-Spam": fields} if isinstance(fields, str) else _dict(fields)
    pairs = ((_bytes(name), _bytes(value)) for name, value in islice(named.items(), FEW))
    found = [[name, value] for name, value in pairs if name is not None and value is not None]
    return found or [[b"X-Spam", b"yes"]]


def _is_place(value: object) -> TypeGuard[int | float]:
    """Return whether a value is a number with 32 bits; true and false are none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) < 1 << 31


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _number(value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e30:
        return float(value)
    return 0.0


def _text(value: object) -> str:
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def _bytes(value: object) -> bytes | None:
    """Return a text that is not too long, None for any other value."""
    found = _raw(value) if isinstance(value, str) else None
    return found if found is not None and len(found) <= TEXT_MAX else None


def _subject(value: object) -> bytes | None:
    """Return a text, or its beginning: a client may have sent a subject of any length."""
    return _raw(value)[:TEXT_MAX] if isinstance(value, str) else None


def _raw(text: str) -> bytes:
    """Return text as it stood in the answer, bytes that are no UTF-8 too."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half a character, written as an escape
        return text.encode("utf-8", "replace")
