"""filter-dkimsign beside the C original: the same lines in, byte for byte the same signature out.

RSA with PKCS #1 v1.5 and Ed25519 know no chance, so with one key the two programs must agree in
every byte, signature and folding included. ``-t`` and ``-x`` are compared with our clock set to
theirs. Where the two differ is in test_dkimsign_differences.py.
"""

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from integration.support.side_by_side import Flags, Lines, Pair, pairs, stuffed
from lab.support import SUITES, need_stage
from unit.support.dkim_material import tags


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Callable[..., Pair]]:
    with pairs(need_stage("7.6").root, tmp_path) as make:
        yield make


FLAGS: list[Flags] = [
    (),
    ("-c", "simple/relaxed"),
    ("-c", "relaxed"),
    ("-c", "relaxed/relaxed"),
    ("-a", "ed25519-sha256"),
    ("-a", "ed25519-sha256", "-c", "relaxed/relaxed"),
    ("-z",),
    ("-zz", "-c", "relaxed/simple"),
    ("-t",),
    ("-x", "3600"),
    ("-tz", "-x3600", "-c", "simple/relaxed"),
    ("-h", "FROM:subject:received:x-other:message-id:mime-version:content-type"),
    ("-h", "from:" + "x" * 90 + ":to", "-z"),
    ("-d", "sub.example.com", "-d", "EXAMPLE.org", "-d", "lindsaar.net"),
]


# --- the published messages ---------------------------------------------------------------------

NO_FROM = "there is no From field: RFC 6376 section 5.4 wants it covered"
COMPLETED = "To holds a bare address, which smtpd completes behind us: it is left out of h="
UNKNOWN = "Date and Message-ID have a gap: smtpd does not know them, they are left out of h="

NO_FROM_MESSAGES = [
    "enmime/bad-header-start.raw",
    "enmime/badboundary.raw",
    "enmime/barren-content-type.raw",
    "enmime/bin-attach.raw",
    "enmime/chardet-detection.raw",
    "enmime/chardet-fail-non-txt.raw",
    "enmime/chardet-fail-not-long-enough.raw",
    "enmime/chardet-fail.raw",
    "enmime/chardet-success-big-5.raw",
    "enmime/chardet-success-iso-8859-1.raw",
    "enmime/ctype-invalid-characters.raw",
    "enmime/empty-ctype-bad-content.raw",
    "enmime/empty-header.raw",
    "enmime/erroneous.raw",
    "enmime/extra-base64-character.raw",
    "enmime/header-only.raw",
    "enmime/html-with-boundary.raw",
    "enmime/malformed-content-type-params.raw",
    "enmime/missing-closing-param-quote.raw",
    "enmime/missing-ctype-root.raw",
    "enmime/missing-ctype.raw",
    "enmime/multi-malformed.raw",
    "enmime/multialtern.raw",
    "enmime/multibase64.raw",
    "enmime/multimixed-no-closing-boundary.raw",
    "enmime/multimixed.raw",
    "enmime/multiother.raw",
    "enmime/nestedmulti.raw",
    "enmime/quoted-printable-invalid.raw",
    "enmime/quoted-printable.raw",
    "enmime/similar-boundary.raw",
    "enmime/textplain.raw",
    "enmime/unquoted-ctype-param-special.raw",
    "mikel/error_emails/bad_encoded_subject.eml",
]
DIFFERENT = {
    **dict.fromkeys(NO_FROM_MESSAGES, NO_FROM),
    "mikel/mime_emails/raw_email11.eml": COMPLETED,
    "mikel/rfc2822/example13.eml": UNKNOWN,
}


def published() -> list[tuple[str, Lines]]:
    top = SUITES / "mail"
    paths = sorted(path for path in top.rglob("*") if path.suffix in (".raw", ".eml"))
    return [(str(path.relative_to(top)), lines_of(path.read_bytes())) for path in paths]


def lines_of(text: bytes) -> Lines:
    lines = text.replace(b"\0", b"").replace(b"\r\n", b"\n").split(b"\n")
    return lines if lines[-1] else lines[:-1]


@pytest.mark.parametrize("flags", FLAGS, ids=" ".join)
def test_published_messages(flags: Flags, pair: Callable[..., Pair]) -> None:
    both = pair(*flags)
    messages = published()
    if not messages:
        pytest.skip(f"no messages in {SUITES}")
    # Where -h lists no To, or no Date, these make no difference.
    equal_by = {"received": COMPLETED, "xxx": UNKNOWN}
    equals = [why for word, why in equal_by.items() if word in str(flags)]
    different = {name: why for name, why in DIFFERENT.items() if why not in equals}
    equal = 0
    for name, message in messages:
        why = different.get(name)
        if why is None:
            both.agree(message)
            equal += 1
        elif why == NO_FROM:
            assert both.ours(message) == [*stuffed(message), b"."], name
        else:
            ours, theirs = both.ours(message), both.theirs(message)
            assert tags(ours)[b"bh"] == tags(theirs)[b"bh"], name
            assert tags(ours) != tags(theirs), name
    assert equal > 140


# --- generated messages -------------------------------------------------------------------------

NAMES = (b"Subject Date Reply-To References In-Reply-To List-Id List-Unsubscribe X-Other Message-ID"
         b" SUBJECT resent-from Received Froms Fro Sender").split()  # fmt: skip
AUTHORS = [
    [b"From: Ann <ann@example.com>"],
    [b"From: ann@sub.example.com"],
    [b"from:ann@EXAMPLE.org"],
    [b"From : Ann", b"\t<ann@elsewhere.example>"],
    [b'From: "A, B" <a@x.example.org>,', b" b@c.example"],
]
TO = [b"a@b.example", b"Bob Example <b@example.org>", b'"Q, x" <q@b.example>']
TEXT = [b"word", b" ", b"  ", b"\t", b";", b"=", b"|", b":", b"\xc3\xbc", b"\xff", b"a@b.example",
        b"<x@y.example>", b"~", b"{", b"}", b"\x7f", b"\x01"]  # fmt: skip
BODY = [b"word", b" ", b"  ", b"\t", b"\xff", b".", b"x", b"\rx"]


def generated(seed: int) -> Lines:
    """Return a message with odd white space, folding, repeated fields and 8-bit bytes."""
    chance = random.Random(seed)
    header: Lines = [b"Received: from a", b"\tby b"]
    place = chance.randrange(6)
    for number in range(chance.randrange(6, 14)):
        if number == place:
            header += chance.choice(AUTHORS)
            continue
        if chance.random() < 0.2:
            recipients = b", ".join(chance.choices(TO, k=chance.randrange(1, 9)))
            header.append(chance.choice([b"To: ", b"cc:"]) + recipients)
            continue
        gap = chance.choice([b"", b"", b"", b" ", b"\t "])
        name = chance.choice(NAMES)
        if name in (b"Date", b"Message-ID"):  # smtpd does not know these with a gap
            gap = b""
        header.append(name + gap + b":" + words(chance, TEXT))
        while chance.random() < 0.25:
            header.append(chance.choice([b" ", b"\t", b"  "]) + b"w" + words(chance, TEXT))
    return [*header, b"", *(words(chance, BODY) for _ in range(chance.randrange(8)))]


def words(chance: random.Random, choice: Lines) -> bytes:
    return b"".join(
        chance.choices([*choice, b"x" * chance.randrange(1, 90)], k=chance.randrange(9))
    )


@pytest.mark.parametrize("flags", FLAGS, ids=" ".join)
def test_generated_messages(flags: Flags, pair: Callable[..., Pair]) -> None:
    both = pair(*flags)
    for seed in range(60):
        both.agree(generated(seed))


@pytest.mark.parametrize("selector", ["s" * length for length in (1, 18, 19, 20, 30, 62, 63)])
def test_folding_at_every_width(selector: str, pair: Callable[..., Pair]) -> None:
    for length in range(1, 60, 3):
        both = pair("-z", "-t", domain="d" * length + ".example", selector=selector)
        both.agree(generated(length))


@pytest.mark.parametrize("size", [100_000, 2_000_000])
def test_large_messages(size: int, pair: Callable[..., Pair]) -> None:
    body = [b"The quick  brown fox jumps over the lazy dog.\t"] * (size // 50) + [b""] * 10_000
    pair("-c", "relaxed/relaxed").agree([*generated(1)[:10], b"From: a@b.example", b"", *body])
    pair().agree([b"From: a@b.example", b"", *body, b"x"])


def test_domains_of_a_file_are_those_of_flags(tmp_path: Path, pair: Callable[..., Pair]) -> None:
    """-D is new in 0.6, which Debian has not: -d in the same order is what it stands for."""
    (tmp_path / "domains").write_text("# ours\nexample.org\nsub.example.com\n", encoding="ascii")
    both = pair("-d", "example.org", "-d", "sub.example.com")
    ours = pair("-D", str(tmp_path / "domains"))
    for seed in range(20):
        message = generated(seed)
        assert ours.ours(message) == both.theirs(message)
