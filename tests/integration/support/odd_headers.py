"""Odd headers by the hundred: what filter-dkimsign and smtpd might read differently."""

from random import Random

# fmt: off
SIGNED_FOR = [b"ann@example.com", b"Ann <ann@example.com>", b'"A, B" <a@sub.example.com>,',
    b"Ann\r\n\t(the\r\n one)\r\n <ann@example.com>", b"a@example.com b@example.com", b"", b"<>",
    b"a@", b"Friends: a@example.com, b@example.org;", b"J\xc3\xbcrgen <j@b\xc3\xbccher.example>",
    b"a@[192.0.2.1]", b"\xff@\xff", b"root\\:", b"ann\\@example.com"]
BARE = [b"root", b"root (Cron Daemon)", b"Ann <ann>, b@example.org", b"a@example.com\\,root",
    b"Ann \\<root>", b'"a\\"b" root']
NAMES = [b"Date", b"Message-ID", b"Subject", b"Reply-To", b"In-Reply-To", b"References", b"Sender",
    b"Resent-Date", b"Resent-From", b"Resent-To", b"Resent-Cc", b"Resent-Bcc", b"Resent-Message-ID",
    b"List-Id", b"List-Unsubscribe", b"List-Unsubscribe-Post", b"Received", b"Return-Path",
    b"X-Spam", b"X-Other", b"Bcc", b"MIME-Version"]
CRITICAL = [b"Date", b"Message-ID", b"To", b"Cc", b"Bcc", b"Subject"]
WORDS = [b"word", b"x" * 70, b"", b" ", b"  ", b"\t", b"a@b.example", b",", b";", b":", b"\xc3\xbc",
         b"\xff", b"=?utf-8?q?=FC?=", b"(", b'"', b"\\", b"\r", b"\v", b"\f", b"\x7f"]
GAPS = [b" ", b"\t", b" \t  ", b"\v", b"\f", b"\r"]
STRANGE = [
    b" a continuation line", b"\t", b"   ", b": no name", b"From ann@example.com 10:00:00 2026",
    b"Date", b"no colon", b"From ann@example.com", b"Date: \0 cut", b"Dat\0e: cut", b"X Y: z",
    b"\xc3\xbc: x", b"X-Long: " + b"y" * 20_000, b"DKIM-Signature: v=1; b=x", b".Date: x",
]
# fmt: on


def message(chance: Random) -> bytes:
    """Return a message with CRLF line ends; smtpd refuses some of them."""
    kind = chance.random()
    header = [] if kind < 0.02 else _header(chance)
    body = [_words(chance).replace(b"\n", b"") for _ in range(chance.randrange(4))]
    lines = header if kind > 0.95 else [*header, b"", *body]
    return b"".join(line + b"\r\n" for line in lines)


def _header(chance: Random) -> list[bytes]:
    names = chance.choices(NAMES, k=chance.randrange(6))
    names += [name for name in CRITICAL if chance.random() < 0.6]
    names += [b"From"] * chance.choices([0, 1, 2], [1, 20, 2])[0]
    chance.shuffle(names)
    header = [_field(chance, name) for name in names]
    if chance.random() < 0.2:
        header.insert(chance.randrange(len(header) + 1), chance.choice(STRANGE))
    return header


def _field(chance: Random, name: bytes) -> bytes:
    written = chance.choice([name, name, name.lower(), name.upper()])
    if chance.random() < 0.25:
        written += chance.choice(GAPS)
    if name in (b"From", b"To", b"Cc"):
        value = chance.choice(SIGNED_FOR if chance.random() < 0.85 else BARE)
    else:
        value = _words(chance)
    while chance.random() < 0.2:
        value += b"\r\n" + chance.choice([b" ", b"\t", b"  "]) + _words(chance)
    return written + b":" + chance.choice([b" ", b"", b"  "]) + value


def _words(chance: Random) -> bytes:
    return b"".join(chance.choices(WORDS, k=chance.randrange(5)))
