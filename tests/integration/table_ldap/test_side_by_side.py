"""table-ldap beside the C original: one configuration, one directory, the same answers.

Where the two differ is in test_differences.py.
"""

import random
from pathlib import Path

import pytest

from integration.support.ldap_directory import (
    OURS,
    SERVICES,
    THEIRS,
    alias,
    domain,
    emptied,
    host,
    put,
    settings,
    starter,
    user,
)
from integration.support.network_scenes import Ask, answers
from lab.peers.databases.slapd import SlapdServer
from lab.support import ALONE

pytestmark = ALONE
KEY_MAX = 31
"""Bytes of a key: with more the C program ends in an error."""
WORDS = (
    "alice", "bob", "root", "a", "7", "007", "example.com", "mail.example.com", "a@example.com",
    "bob+tag@example.com", "192.0.2.1", "2001:db8::1", "|", "a|b", "'", "' OR '1'='1", '"', "*",
    "a*", "*e", ")(uid=*", "*)(objectClass=*", "(", ")", "&", "!", "\\", "\\2a", "\\\\", "%", "%s",
    "%%", "=", "a=b", ",", "dc=x", "#a", "+", "<", ">", ";", "\t", "a b", "ä", "日本", "🐟",
    "\x01\x7f",
)  # fmt: skip
RAW = (b"\xff\xfe", b"\xe9", b"\xc3", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"a\xff")
MEMBERS = (
    "alice", "bob@example.com", "alice, bob", "|/bin/false", '"quoted, one"@example.com', "back\\",
    "0", "007", "x" * 1500, "y" * 2047, "z" * 2048,
)  # fmt: skip

MENDED: dict[Ask, tuple[bytes, bytes]] = {
    (b"lookup", "mailaddr", b"bob+tag@example.com"): (b"not-found", b"found|bob@example.com"),
    (b"check", "mailaddr", b"bob+tag@example.com"): (b"not-found", b"found"),
}
"""The keys that mean more to ours than the C program knows: all others have the same answers."""


def some_key(dice: random.Random) -> bytes:
    match dice.randrange(4):
        case 0:
            return dice.choice(WORDS).encode()
        case 1:
            return "".join(dice.choices(WORDS, k=dice.randint(0, 3))).encode()[:KEY_MAX]
        case 2:
            return bytes(dice.choices(range(1, 256), k=dice.randrange(KEY_MAX))).replace(b"\n", b"")
        case _:
            return (dice.choice(WORDS).encode() + b"x" * KEY_MAX)[:KEY_MAX]


def content(base: str, dice: random.Random) -> str:
    """Return entries: each word is an alias, a user, a domain, or an address."""
    folded = {}
    for word in WORDS:  # to the server, blanks and case make no difference
        folded[" ".join(word.split()).casefold() or word] = word
    made = []
    for word in filter(str.strip, folded.values()):
        made.append(alias(base, "alias " + word, dice.choice(MEMBERS)))
        made.append(alias(base, word, *dice.sample(MEMBERS[:8], dice.randint(1, 3))))
    for number, word in enumerate(("alice", "bob", "root", "a", "7", "007", "a+b", "o'neil")):
        mail = f"{word.replace(chr(39), '')}@example.com"
        made.append(user(base, word, 1000 + number, mail, hash=f"$6$salt${word}"))
    made.append(domain(base, "example.com"))
    made.append(domain(base, "mail.example.com"))
    made.append(host(base, "192.0.2.1"))
    made.append(host(base, "2001:db8::1"))
    return "".join(made)


@pytest.fixture
def paths(slapd: SlapdServer, ldap_view: Path) -> str:
    base = emptied(slapd, "side-by-side", lambda base: content(base, random.Random(1)))
    return put(ldap_view, "side-by-side", settings(base))


def test_the_same_answers(ldap_view: Path, paths: str) -> None:
    dice = random.Random(2)
    keys = [*(word.encode() for word in WORDS), *RAW, *(some_key(dice) for _ in range(250))]
    keys += [b"alias " + word.encode() for word in WORDS if len(word.encode()) < KEY_MAX - 6]
    asked: list[Ask] = [
        (verb, service, key)
        for key in keys
        for service in SERVICES
        for verb in (b"lookup", b"check")
        if (verb, service) != (b"lookup", "netaddr")
    ]
    assert len(asked) > 4000
    theirs = answers(starter(ldap_view, THEIRS, paths), asked)
    ours = answers(starter(ldap_view, OURS, paths), asked)
    different = {
        request: (one, other)
        for request, one, other in zip(asked, theirs, ours, strict=True)
        if one != other
    }
    assert different == MENDED
    kinds = {answer.partition(b"|")[0] for answer in ours}
    assert kinds == {b"found", b"not-found", b"error"}
    assert sum(answer.startswith(b"found") for answer in ours) > 300
