"""Body hashes: with and without ``l=``, shared, and at most four."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd.mail.dkim.canonical_body import RelaxedBody, SimpleBody
from opensmtpd.mail.dkim.verify.bodies import BodyHash, BodyHashes

LINES = [b"Hello  Bob, ", b"", b".dots\tand tabs ", b"", b""]
SIMPLE = b"Hello  Bob, \r\n\r\n.dots\tand tabs \r\n"
RELAXED = b"Hello Bob,\r\n\r\n.dots and tabs\r\n"


def hashed(
    canonicalization: str, length: int | None, lines: list[bytes], at_once: int = 9
) -> BodyHash:
    """Return the hash of a body that comes so many lines at once."""
    bodies = BodyHashes()
    found = bodies.want(canonicalization, length)
    assert found is not None
    for at in range(0, len(lines), at_once):
        bodies.feed(lines[at : at + at_once])
    bodies.end()
    return found


@pytest.mark.parametrize("at_once", [1, 2, 9])
@pytest.mark.parametrize("length", [None, 0, 1, 12, 13, 14, 15, 16, 30, 31, 32, 1000])
@pytest.mark.parametrize(("name", "text"), [("simple", SIMPLE), ("relaxed", RELAXED)])
def test_the_octets_that_count(name: str, text: bytes, length: int | None, at_once: int) -> None:
    found = hashed(name, length, LINES, at_once)
    assert found.digest == sha256(text[:length]).digest()
    assert found.octets == len(text)


@pytest.mark.parametrize("lines", [[], [b""], [b"", b"", b""]])
def test_bodies_without_content(lines: list[bytes]) -> None:
    simple, relaxed = (hashed(name, None, lines) for name in ("simple", "relaxed"))
    assert (simple.digest, simple.octets) == (sha256(b"\r\n").digest(), 2)
    assert (relaxed.digest, relaxed.octets) == (sha256(b"").digest(), 0)


def test_the_same_hash_is_shared_and_four_are_all() -> None:
    bodies = BodyHashes()
    wanted = [("simple", None), ("relaxed", None), ("simple", 5), ("relaxed", 5)]
    found = [bodies.want(name, length) for name, length in wanted]
    assert None not in found
    assert [bodies.want(name, length) for name, length in wanted] == found
    assert bodies.want("simple", 6) is None
    assert bodies.want("relaxed", 0) is None


def test_a_canonicalization_that_came_too_late_costs_nothing() -> None:
    bodies = BodyHashes()
    for length in range(4):
        assert bodies.want("simple", length) is not None
    assert bodies.want("relaxed", None) is None
    bodies.feed(LINES)
    bodies.end()
    assert list(bodies._forms) == ["simple"]


@given(
    st.lists(st.text("a \t\r", max_size=4).map(str.encode), max_size=12),
    st.integers(1, 13),
    st.integers(0, 40),
)
def test_each_run_of_lines_gives_the_hash_that_a_signer_makes(
    lines: list[bytes], at_once: int, length: int
) -> None:
    for name, made in (("simple", SimpleBody()), ("relaxed", RelaxedBody())):
        made.feed(lines)
        found = hashed(name, None, lines, at_once)
        assert found.digest == made.digest()
        part = hashed(name, length, lines, at_once)
        assert part.octets == found.octets
        assert (part.digest == found.digest) == (length >= found.octets)
