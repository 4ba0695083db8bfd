"""Tag lists, the form of signatures and key records (RFC 6376 section 3.2), and their values."""

import re
from base64 import b64decode

from opensmtpd.errors import PermError

_NAME = re.compile(rb"[A-Za-z][A-Za-z0-9_]*")
# VALCHAR, white space between words, and what RFC 8616 section 5 adds: octets of UTF-8.
_TEXT = re.compile(rb"[\t\n -~\x80-\xff]*")
_WHITE = b" \t\n"
_BASE64 = re.compile(rb"([A-Za-z0-9+/]+)={0,2}")
_SHOWN = 20
"""Characters of a tag's name that a reason shows."""
_SIZE_MAX = 1 << 16
"""Octets of a list, as many as a TXT record may have: z= repeats a whole header."""
_TAGS_MAX, _WORDS_MAX = 100, 1000
"""Tags of a list, and words of a value: each takes time."""
_BASE64_MAX = 1 << 12
"""Characters of a value in base64: RSA keys of 16384 bits have fewer. All go to a worker."""


def tag_list(text: bytes) -> dict[bytes, bytes]:
    """Return the tags in their order, values without the white space around them.

    Folded lines are joined by line feeds. Raises PermError for what is no list of tags, and for one
    that names a tag twice, or is longer than any that is meant well.
    """
    if len(text) > _SIZE_MAX:
        raise PermError(f"more than {_SIZE_MAX} octets of tags")
    if text.count(b";") > _TAGS_MAX:
        raise PermError(f"more than {_TAGS_MAX} tags")
    if not _TEXT.fullmatch(text):
        raise PermError("not a list of tags")
    specs = text.split(b";")
    if not specs[-1].strip(_WHITE):
        specs.pop()  # a last semicolon is allowed
    tags: dict[bytes, bytes] = {}
    for spec in specs:
        name, equals, value = spec.partition(b"=")
        name = name.strip(_WHITE)
        if not (equals and _NAME.fullmatch(name)):
            raise PermError("not a list of tags")
        if name in tags:
            raise PermError(f"{name[:_SHOWN].decode('ascii')}= twice")
        tags[name] = value.strip(_WHITE)
    return tags


def required(tags: dict[bytes, bytes], name: bytes) -> bytes:
    """Return the value of a tag. Raises PermError where it is missing or empty."""
    if value := tags.get(name):
        return value
    fault = "empty" if name in tags else "missing"
    raise PermError(f"{name.decode('ascii')}= {fault}")


def words(value: bytes) -> list[bytes]:
    """Return the parts of a value that colons separate, without the white space around them.

    Raises PermError for more than 1000.
    """
    if value.count(b":") >= _WORDS_MAX:
        raise PermError(f"more than {_WORDS_MAX} words in a tag")
    return [word.strip(_WHITE) for word in value.split(b":")]


def compact(value: bytes) -> bytes:
    """Return a value without its white space."""
    return value.translate(None, _WHITE)


def base64(tags: dict[bytes, bytes], name: bytes) -> bytes:
    """Return what a tag holds in base64, which may be folded anywhere.

    The padding at its end may be missing. Raises PermError for what is no base64, and for more of
    it than any key or signature needs.
    """
    value = compact(required(tags, name))
    if len(value) > _BASE64_MAX:
        raise PermError(f"{name.decode('ascii')}= is longer than {_BASE64_MAX} characters")
    match = _BASE64.fullmatch(value)
    if match is None or len(match[1]) % 4 == 1:
        raise PermError(f"{name.decode('ascii')}= is no base64")
    return b64decode(match[1] + b"=" * (-len(match[1]) % 4))


def number(tags: dict[bytes, bytes], name: bytes, digits: int) -> int | None:
    """Return a number of at most so many digits, None where there is no such tag.

    Raises PermError for anything else.
    """
    value = tags.get(name)
    if value is None:
        return None
    if not (value.isdigit() and len(value) <= digits):
        raise PermError(f"{name.decode('ascii')}= is no number of at most {digits} digits")
    return int(value)
