"""Bodies: the examples of RFC 6376, and runs of lines in any cut against a slow reference."""

import re
from base64 import b64encode
from hashlib import sha256
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd.mail.dkim.canonical_body import RelaxedBody, SimpleBody, squeeze


def reference(lines: list[bytes], relaxed: bool) -> bytes:
    """Canonicalize as RFC 6376 sections 3.4.3 and 3.4.4 say it, one step after the other."""
    if relaxed:
        lines = [re.sub(rb"[ \t]+", b" ", re.sub(rb"[ \t]+\Z", b"", line)) for line in lines]
    lines = list(lines)
    while lines and not lines[-1]:
        lines.pop()
    if not lines:
        return b"" if relaxed else b"\r\n"
    return b"".join(line + b"\r\n" for line in lines)


def digest(kind: type[SimpleBody], *runs: list[bytes]) -> bytes:
    body = kind()
    for run in runs:
        body.feed(run)
    return body.digest()


# RFC 6376 section 3.4.5: the body " C <CRLF> D <HTAB><SP> E <CRLF><CRLF><CRLF>".
EXAMPLE = [b" C ", b"D \t E", b"", b""]


def test_rfc_6376_example_relaxed() -> None:
    assert digest(RelaxedBody, EXAMPLE) == sha256(b" C\r\nD E\r\n").digest()


def test_rfc_6376_example_simple() -> None:
    assert digest(SimpleBody, EXAMPLE) == sha256(b" C \r\nD \t E\r\n").digest()


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        # RFC 6376 sections 3.4.3 and 3.4.4 print these two.
        (SimpleBody, b"frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY="),
        (RelaxedBody, b"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="),
    ],
)
@pytest.mark.parametrize("lines", [[], [b""], [b""] * 20_000])
def test_empty_body(kind: type[SimpleBody], expected: bytes, lines: list[bytes]) -> None:
    assert b64encode(digest(kind, lines)) == expected


def test_rfc_8463_example() -> None:
    lines = [b"Hi.", b"", b"We lost the game.  Are you hungry yet?", b"", b"Joe.", b""]
    expected = b"2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8="
    assert b64encode(digest(RelaxedBody, lines)) == expected


def test_many_empty_lines_in_the_middle() -> None:
    lines = [b"a"] + [b""] * 20_000 + [b"b"]
    assert digest(SimpleBody, lines) == sha256(b"a\r\n" + b"\r\n" * 20_000 + b"b\r\n").digest()


def test_lines_of_white_space_are_empty_only_when_relaxed() -> None:
    lines = [b"a", b" \t ", b" "]
    assert digest(SimpleBody, lines) == sha256(b"a\r\n \t \r\n \r\n").digest()
    assert digest(RelaxedBody, lines) == sha256(b"a\r\n").digest()


def test_a_bare_carriage_return_is_no_white_space() -> None:
    lines = [b"a \r", b"\r", b"b\r \r"]
    assert digest(RelaxedBody, lines) == sha256(b"a \r\r\n\r\r\nb\r \r\r\n").digest()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"", b""),
        (b"a b", b"a b"),
        (b"a\tb", b"a b"),
        (b"a \t b", b"a b"),
        (b" " * 65_534 + b"x", b" x"),
        (b"\t \t\r\n  ", b" \r\n "),
    ],
)
def test_squeeze(text: bytes, expected: bytes) -> None:
    assert squeeze(text) == expected


LINES = st.lists(
    st.one_of(
        st.just(b""),
        st.lists(st.sampled_from([b" ", b"\t", b"\r", b"a", b".", b"\xff"]), max_size=8).map(
            b"".join
        ),
        st.binary(max_size=12).map(lambda line: line.replace(b"\n", b"")),
    ),
    max_size=30,
)


@given(lines=LINES, cuts=st.lists(st.integers(0, 30), max_size=6))
@pytest.mark.parametrize("kind", [SimpleBody, RelaxedBody])
def test_any_cut_into_runs(kind: type[SimpleBody], lines: list[bytes], cuts: list[int]) -> None:
    expected = sha256(reference(lines, kind is RelaxedBody)).digest()
    edges = [0, *sorted(cuts), len(lines)]
    runs = [lines[one:other] for one, other in pairwise(edges)]
    assert digest(kind, lines) == expected
    assert digest(kind, *runs) == expected
    assert digest(kind, *([line] for line in lines)) == expected
