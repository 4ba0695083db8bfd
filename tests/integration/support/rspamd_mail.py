"""Mail for rspamd: each message says in X-Lab what rspamd of the lab shall do with it."""

import json
import random
from collections.abc import Iterator
from typing import Any, NamedTuple

from lab.shows.demo import LOCAL, STRANGER
from lab.support import SUITES

Lines = list[bytes]
Wanted = dict[str, Any]
LONGEST_IN_GO = 60_000
"""Bytes of a line that the filter in Go does not die of."""
GTUBE = b"XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
"""A line that rspamd rejects a message for, if another one follows."""


class Mail(NamedTuple):
    """A message and its envelope."""

    title: str
    message: bytes
    """With CRLF line ends."""
    sender: str = STRANGER
    recipients: tuple[str, ...] = (LOCAL,)
    authenticated: bool = False
    """Whether Alice sends it, with TLS."""


RESULTS = {"value": "example.com;\n\tspf=pass smtp.mailfrom=x@y.example", "order": 1}
VERDICTS: dict[str, Wanted] = {
    "no action": {},
    "greylist": {"score": 4.2},
    "rewrite subject": {"score": 5.5},
    "rewrite subject, another": {"score": 5.25, "subject": "what it is: \u00fc"},
    "add header, one symbol": {"score": 6.25},
    "add header, four symbols": {"score": 7, "symbols": 4},
    "add header, 23 symbols": {"score": 10.1, "symbols": 23},
    "add header, 60 symbols": {"score": 6, "symbols": 60},
    "reject": {"score": 15},
    "reject, with a text": {"action": "reject", "message": "5.7.1 we want none of this"},
    "soft reject": {"action": "soft reject"},
    "soft reject, with a text": {"action": "soft reject", "message": "4.7.1 come again: 100%"},
    "add header, by a rule": {"action": "add header", "symbols": 2},
    "one signature": {"dkim": ["rsa"]},
    "two signatures": {"dkim": ["rsa", "ed25519"]},
    "signature, add header": {"dkim": ["ed25519"], "score": 8.875, "symbols": 9},
    "signature, rewrite subject": {"dkim": ["rsa"], "score": 5.125},
    "seal of ARC": {"arc": ["rsa"]},
    "results": {"add": {"Authentication-Results": RESULTS}},
    "a text": {"milter": {"add_headers": {"X-Text": "folded;\n\tas rspamd does\n  it"}}},
    "all of it": {
        "score": 9.99,
        "symbols": 3,
        "dkim": ["rsa", "ed25519"],
        "arc": ["rsa"],
        "add": {"Authentication-Results": RESULTS},
        "milter": {"add_headers": {"X-Text": "a text"}},
        "remove": {"X-Unwanted": 0},
    },
    "remove": {"remove": {"X-Unwanted": 0, "X-Not-There": 0}},
}
"""By titles: the names of rspamd's actions, or what else it does."""


def composed(wanted: Wanted, header: Lines, body: Lines | None) -> bytes:
    """Return a message of lines; without a body not even the blank line stands in it."""
    order = [b"X-Lab: " + json.dumps(wanted).encode("ascii")] if wanted else []
    lines = [*order, *header, *([] if body is None else [b"", *body])]
    return b"".join(line + b"\r\n" for line in lines)


# --- generated ----------------------------------------------------------------------------------

AUTHORS = [
    [b"From: Bob <bob@signed.example>"],
    [b"From: bob@signed.example"],
    [b'From: "B, O" <bob@signed.example>,', b"\tann@example.org"],
    [b"From:  Bob", b" <bob@signed.example>"],
    [b"from: bob@signed.example"],
]
SUBJECTS = [
    [b"Subject: hello"],
    [b"Subject: =?utf-8?q?gr=C3=BC=C3=9Fe?="],
    [b"Subject: gr\xc3\xbc\xc3\x9fe"],
    [b"Subject: |a|b|"],
    [b"Subject: " + b"long " * 40],
    [],
]
OTHERS = [
    b"To: alice@example.com",
    b"Cc: Ann <ann@example.org>",
    b"Date: Tue, 03 Mar 2026 10:00:00 +0000",
    b"Message-ID: <1@client.example.net>",
    b"X-Unwanted: yes",
    b"X-Unwanted: again",
    b"X-Empty:",
    b"X-Eight: \xff\xfe\xe9",
    b"X-Pipe: |x|",
    b"X-Bare: a\rb",
    b"List-Id: <list.example.org>",
    b"Content-Type: text/plain; charset=utf-8",
    b"X-Long: " + b"y" * 900,
    b"X-Very-Long: " + b"z" * 20_000,
    b"Received: from elsewhere by there; Tue, 03 Mar 2026 10:00:00 +0000",
]
FOLDED = [b"\tfolded", b" folded, too", b"  ", b"\t\t|x"]
BODY = [
    b"hello", b".", b"..", b".dot", b"", b"", b" ", b"tab\t", b"\xff\xe9", b"gr\xc3\xbc\xc3\x9fe",
    b"a\rb", b"\rb", b"|", b"x" * 998, b"y" * 5000, b"filter-dataline|0|0|x",
    b"http://www.example.org/?a=b", b"From me", b"\x01\x7f",
]  # fmt: skip
ENVELOPES: list[tuple[str, tuple[str, ...]]] = [
    (STRANGER, (LOCAL,)),
    (STRANGER, (LOCAL,)),
    ("", (LOCAL,)),
    ("bob@signed.example", (LOCAL, "username@example.com")),
    ("Bob+tag=x@signed.example", ("username@example.com", LOCAL, "alice@mail.example.com")),
]


def generated(seed: int) -> Mail:
    """Return a message of that number; each verdict comes in turn."""
    chance = random.Random(seed)
    title = list(VERDICTS)[seed % len(VERDICTS)]
    fields = [chance.choice(AUTHORS), chance.choice(SUBJECTS)]
    for name in chance.sample(OTHERS, chance.randrange(len(OTHERS))):
        folds = chance.choices(FOLDED, k=chance.randrange(3)) if chance.random() < 0.3 else []
        fields.append([name, *folds])
    chance.shuffle(fields)
    header = [line for each in fields for line in each]
    body: Lines | None = [*chance.choices(BODY, k=chance.randrange(12)), b"end"]
    if chance.random() < 0.05:
        body = None
    elif chance.random() < 0.02:
        body = [b"a line of a longer message, which is no news"] * 4000
    message = composed(VERDICTS[title], header, body)
    sender, recipients = chance.choice(ENVELOPES)
    if seed % 200 < 50:
        return Mail(f"{seed}: {title}, authenticated", message, LOCAL, recipients, True)
    return Mail(f"{seed}: {title}", message, sender, recipients)


PLAIN = [b"From: bob@signed.example", b"Subject: hello", b"Date: Tue, 03 Mar 2026 10:00:00 +0000"]
ODD: dict[str, bytes] = {
    "GTUBE": composed({}, PLAIN, [GTUBE, b"hello"]),
    "no header": b"\r\nhello\r\n",
    "no header, no blank line": b"hello\r\nyou\r\n",
    "nothing": b"",
    "blank line": b"\r\n",
    "header alone": composed({}, PLAIN, None),
    "header alone, add header": composed({"score": 7}, PLAIN, None),
    "no body, add header": composed({"score": 7}, PLAIN, []),
    "begins folded": b" folded\r\n" + composed({}, PLAIN, [b"x"]),
    "bare LF": composed({}, PLAIN, [b"x"]).replace(b"\r\n", b"\n"),
    "NUL": composed({}, [*PLAIN, b"X-Nul: a\0b"], [b"a\0b", b"\0"]),
    "line of 60,000": composed({}, PLAIN, [b"x" * LONGEST_IN_GO, b"y"]),
    "field of 60,000": composed({}, [b"X-L: " + b"x" * (LONGEST_IN_GO - 5), *PLAIN], [b"y"]),
    "dots alone": composed({}, PLAIN, [b".", b"..", b"..."]),
    "dot in the header": composed({}, [b".x: y", *PLAIN], [b""]),
    "many fields": composed({}, [*PLAIN, *(b"X-%d: y" % n for n in range(900))], [b""]),
    "2 MB": composed({"score": 6.5}, PLAIN, [b"z" * 900] * 2200),
    "blank lines": composed({}, PLAIN, [b""] * 5000),
}
"""By titles: what is rarely seen."""


def odd() -> Iterator[Mail]:
    """Yield the odd ones."""
    for title, message in ODD.items():
        yield Mail(title, message)


# --- published ----------------------------------------------------------------------------------


def published() -> Iterator[Mail]:
    """Yield the messages of others' test suites, as far as they are on this machine."""
    top = SUITES / "mail"
    paths = sorted(path for path in top.rglob("*") if path.suffix in (".raw", ".eml"))
    for number, path in enumerate(paths):
        title = list(VERDICTS)[number % len(VERDICTS)]
        text = path.read_bytes().replace(b"\0", b"").replace(b"\r\n", b"\n")
        lines = text.removesuffix(b"\n").split(b"\n")
        if max(map(len, lines)) > LONGEST_IN_GO:
            continue
        order = composed(VERDICTS[title], [], None)
        name = str(path.relative_to(top))
        yield Mail(f"{name}: {title}", order + b"".join(line + b"\r\n" for line in lines))
