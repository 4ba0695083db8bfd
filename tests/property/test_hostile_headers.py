"""Any rules and any message before filter-headers: what is read, what it costs, smtpd's view."""

import re
from email.header import Header
from random import Random
from unittest.mock import patch

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from opensmtpd._protocol.filter.connection import FilterConnection
from opensmtpd.errors import ConfigError
from opensmtpd.filter.field import read as field
from opensmtpd.mail.headers import rules as rules_module
from opensmtpd.mail.headers.encoded import shown
from opensmtpd.mail.headers.patterns import VALUE_MAX, Matching, NamePattern, Pattern
from opensmtpd.mail.headers.rules import HeaderVerdict
from opensmtpd.testing import Smtpd, run_message
from property.storm import LINES, Storm
from unit.support.ruled_mail import OWN, follow, make, read

# --- rules ----------------------------------------------------------------------------------------

NAMES = st.sampled_from(
    ["Subject", "From", "X-*", "*", "*-*-*-*y", "Received", "x-a", "X-Spam", "Subject:", "a b", "é"]
)
PATTERNS = st.sampled_from(
    [
        *("*", "?", "*buy*", "/buy/", '""', "/^$/", '"/a b/"', "/(a|b)*a(a|b){30}c/", "=\\?*"),
        *("/[^a]/", "/\xff/", "*ü*", "????????????", "/buy", "//", "/(/", "/a{1000}/", "*\0*"),
    ]
)
VALUES = st.sampled_from(
    ["x", '"a b"', '"554 5.7.1 no"', '"451 later"', "421", "ü", '"', "\0", '"a\r"', "y" * 990]
)
GARBAGE = st.text(max_size=12) | st.sampled_from(["#", '"', "\\", "/", "\r", "\ud800", "\xa0"])
WORDS = st.lists(NAMES | PATTERNS | VALUES | GARBAGE, max_size=4)
LINE = st.one_of(
    st.builds("reject {} {}".format, NAMES, PATTERNS),
    st.builds("reject {} {} {}".format, NAMES, PATTERNS, VALUES),
    st.builds("junk {} {}".format, NAMES, PATTERNS),
    st.builds("remove {}".format, NAMES),
    st.builds("remove {} {}".format, NAMES, PATTERNS),
    st.builds("replace {} {} {}".format, NAMES, PATTERNS, VALUES),
    st.builds("add {} {}".format, NAMES, VALUES),
    st.just("privacy"),
    st.builds("{} {}".format, st.sampled_from(["reject", "x", "add", ""]), WORDS.map(" ".join)),
)
FILE = st.lists(LINE, max_size=8).map("\n".join)


def good(text: str) -> str:
    """Return the lines of a text that can be used, or one that can."""
    kept = []
    for line in text.split("\n"):
        try:
            read(line.encode("utf-8", "surrogatepass"))
        except ConfigError:
            continue
        kept.append(line)
    return "\n".join(kept) or "privacy"


RULES = FILE.map(good)


@given(text=FILE.map(lambda text: text.encode("utf-8", "surrogatepass")) | st.binary())
def test_any_file_is_read_or_one_mistake_is_told(text: bytes) -> None:
    try:
        read(text)
    except ConfigError as raised:
        error = raised
    else:
        return
    assert error.path
    assert error.remedy
    if error.message == "there is no rule":
        assert not [line for line in text.split(b"\n") if line.strip() and b"#" not in line]
    else:
        assert 1 <= (error.line or 0) <= text.count(b"\n") + 1
        assert str(error).startswith(f"{error.path}:{error.line}: ")


# --- headers --------------------------------------------------------------------------------------

PIECES = st.sampled_from(
    [
        *(b"Subject: ", b"From: ", b"X-A: ", b"Received: from x", b"\tby y", b"User-Agent: z"),
        *(b"buy now", b"=?utf-8?q?buy?=", b"=?utf-8?b?YnV5", b"?=", b"=?", b"=?x?q?", b" ", b"\t"),
        *(b"\n", b"\n", b"\n ", b"\n\t", b"\r", b"\0", b"\xff", b":", b"a" * 500, b"ab" * 300),
        *(b"Subject: buy now\n", b"X-A: ab\n", b"From: b@x\n", b"x-a: =?utf-8?q?=C3=BC?=\n"),
        b"=?iso-2022-jp?b?GyRC?=",
    ]
)
HEADERS = st.lists(PIECES | st.binary(max_size=10), max_size=30).map(b"".join)


def whole_lines(header: bytes) -> bytes:
    """Return lines as a header may have them: none is empty, and each has its line feed."""
    lines = [line for line in header.split(b"\n") if line]
    return b"".join(line + b"\n" for line in lines)


@settings(max_examples=300)
@given(rules=RULES, header=HEADERS.map(whole_lines), ours=st.booleans())
def test_any_header(rules: str, header: bytes, ours: bool) -> None:
    """Nothing is raised, the work has its bound, and smtpd's own field is there afterwards."""
    made: list[Matching] = []

    class Seen(Matching):
        def __init__(self) -> None:
            super().__init__()
            made.append(self)

    with patch.object(rules_module, "Matching", Seen):
        verdict, text = follow(rules, header, ours=ours)
    assert made[0].left > -6 * VALUE_MAX
    assert verdict.too_long is (made[0].left < 0)
    assert OWN.partition(b"\n\tby ")[2] in text
    assert text.endswith(b"\n")
    if verdict.refusal is not None:
        assert verdict.refusal.wire("commit").startswith((b"reject|4", b"reject|5"))


ODD = HEADERS.map(lambda header: header.replace(b"\0", b"").replace(b"\r", b""))


@given(header=HEADERS, ours=st.booleans())
def test_rules_that_match_nothing_leave_all_as_it_is(header: bytes, ours: bool) -> None:
    rules = """
        reject Subject *~never~*
        junk   *       /~never~+/
        remove Never-*
        remove *       "~never~"
        replace * /^~never~$/ x
        replace Never * x
    """ + ("" if ours else "privacy")
    assert follow(rules, whole_lines(header), ours=ours) == (
        HeaderVerdict(),
        OWN + whole_lines(header),
    )


@given(rules=RULES, header=ODD, body=ODD, user=st.sampled_from([None, b"bob"]))
def test_any_message(rules: str, header: bytes, body: bytes, user: bytes | None) -> None:
    """It is accepted or refused once; nobody's body is touched. The model raises Fatal, else."""
    message = whole_lines(header) + b"\n" + whole_lines(body)
    outcome = run_message(make(rules), message, username=user)
    assert outcome.reply[:1] in b"245"
    assert outcome.accepted is outcome.reply.startswith(b"2")
    if outcome.accepted:
        assert outcome.message.endswith(b"\n" + whole_lines(body))
        assert outcome.message.partition(b"\n\n")[2] == whole_lines(body)


class Guests(Storm):
    """Clients whose headers have what the rules are about."""

    lines = (*LINES, b"Subject: =?utf-8?q?buy?=", b"X-A: 1", b" folded", b"Received: x", b"\0: 1")


@settings(max_examples=40)
@given(seed=st.integers(0, 2**64), rules=RULES, version=st.sampled_from(["6.8.0", "7.6.0"]))
def test_any_session(seed: int, rules: str, version: str) -> None:
    faults: list[tuple[str, dict[str, object]]] = []

    def log(event: str, session: str | None = None, **fields: object) -> None:
        faults.append((event, fields))

    smtpd = Smtpd(version)
    protocol = FilterConnection(make(rules), log=log)
    crowd = Guests(Random(seed), smtpd, protocol)
    crowd.run(10)
    for client in smtpd.clients:
        client.vanish()
    crowd.pump()
    assert (smtpd.hung(), faults) == ([], [])
    assert (protocol.session_count, protocol.message_count, protocol.held_bytes) == (0, 0, 0)


# --- headers that are meant to take long ----------------------------------------------------------

SLOW = "".join(
    [
        "reject * /(a|b)*a(a|b){30}c/\njunk * *x*y*z*never*\nremove X-*-*-*-*-Never\n",
        "replace Never * x\n" * 20,
        "reject * *nothing*of*this*\n" * 20,
        "privacy\n",
    ]
)
HOSTILE = {
    "4 MiB of fields": b"A: " + b"b" * 4093 + b"\n",
    "short fields": b"A: b\n",
    "empty fields": b"A:\n",
    "folded without an end": b"A: b\n" + b"\tc\n" * 7000,
    "words without an end": b"A: " + b"=?a?q?x" * 2000 + b"\n",
    "many words": b"A: " + b"=?utf-8?q?x?= " * 1000 + b"\n",
    "coins": b"A: " + bytes(Random(1).choices(b"ab", k=16_000)) + b"\n",
    "long names": b"X-" + b"-" * 60_000 + b": 1\n",
    "no fields": b"nothing\n",
    "Received": b"Received: from a\n\tby b\n",
    "bytes": bytes(byte for byte in range(1, 256) if byte not in b"\r\n") + b"\n",
}
SIZE = 1_900_000
"""Bytes of a header that the core takes, about: it counts them twice, and 512 for a line."""


@pytest.mark.parametrize("line", HOSTILE.values(), ids=HOSTILE)
def test_headers_that_are_meant_to_take_long(line: bytes) -> None:
    lines = line.count(b"\n")
    count = SIZE // (len(line) + lines * 256)
    for header in (line * max(1, count), line * (3 * count + 3)):  # the second is too large
        outcome = run_message(make(SLOW), header + b"\nbody\n", username=b"bob")
        known = (b"250", b"550", b"552")
        assert outcome.reply[:3] in known
        if outcome.accepted:
            assert outcome.message.endswith(b"\nbody\n")


# --- what a pattern means -------------------------------------------------------------------------

LETTERS = st.text("abAB*?.[]/=", max_size=8)


def plain(glob: str) -> str:
    """Return a text with stars as an expression of Python."""
    known = {"*": ".*", "?": "."}
    return "".join(known.get(each, re.escape(each)) for each in glob)


@given(glob=LETTERS, value=LETTERS)
def test_texts_with_stars(glob: str, value: str) -> None:
    assume(not glob.startswith("/"))
    found = field(b"X: " + value.encode())
    assert found is not None
    matched = Pattern(glob).matches(found, Matching())
    # Values of these letters have no encoded words.
    wanted = re.fullmatch(plain(glob), value.strip(), re.IGNORECASE | re.DOTALL)
    assert matched is bool(wanted)


@given(glob=st.text("abX-*", min_size=1, max_size=8), name=st.text("abX-", min_size=1, max_size=8))
def test_names_with_stars(glob: str, name: str) -> None:
    wanted = re.fullmatch(plain(glob), name, re.IGNORECASE)
    assert NamePattern(glob).matches(name.encode()) is bool(wanted)


@given(st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1))
def test_a_text_matches_itself_in_any_case_and_encoded(text: str) -> None:
    assume("=?" not in text and text[0] not in "/" and len(text.encode()) < 30)
    glob = Pattern("".join(f"*{each}" for each in re.sub(r"[*?]", "a", text)))
    value = re.sub(r"[*?]", "a", text)
    for written in (value, value.lower(), Header(value, "utf-8", maxlinelen=10**6).encode()):
        found = field(b"X: " + written.encode())
        assert found is not None
        assert glob.matches(found, Matching())


@given(st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"])))
def test_what_the_library_encodes_is_shown(text: str) -> None:
    assume("=?" not in text)
    written = Header(text, "utf-8").encode()
    assert shown(written.replace("\n", "").encode()).decode() == text


@given(HEADERS)
def test_any_bytes_are_shown(value: bytes) -> None:
    text = shown(value)
    assert text == value or b"=?" in value
