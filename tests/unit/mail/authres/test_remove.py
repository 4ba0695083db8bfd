"""Fields that pretend to be ours, in all their forms."""

from typing import Any, cast

import pytest

from opensmtpd.mail.authres.remove import _comparable, is_ours
from opensmtpd.mail.dkim.canonical_header import finder
from unit.support.inbound_suites import inbound

OURS = "mx.example.com"
FIELDS = finder((b"Authentication-Results",))


def kept(case: dict[str, Any]) -> bool:
    """Return whether the header of a case keeps all its fields."""
    lines = "\n".join(case["field"]).encode()
    header = b"\n" + lines.split(b"\n\n")[0]
    ours = case.get("authserv_ids") or [case.get("authserv_id", OURS)]
    found = [value for _, _, value in FIELDS(header)]
    return not any(is_ours(value, each) for value in found for each in ours)


# Of hosts of ours, nothing is removed: that is the filter's business, and tested with it.
INCOMING = inbound("authres.json", "incoming")
CASES = [each for each in INCOMING if "peer" not in cast("Any", each.values[0])]


@pytest.mark.parametrize("case", CASES)
def test_published_case(case: dict[str, Any]) -> None:
    outcome = "keep" if kept(case) else "remove"
    assert outcome in {case["expect"], *case.get("accept", [])}


LARGE = {
    "long-comment": b"(" + b"x" * 60_000 + b") mx.example.com; none",
    "deep-comment": b"(" * 20_000 + b")" * 20_000 + b" mx.example.com; none",
    "open-comments": b"(" * 60_000,
    "thousand-fields": b" mx.example.com; spf=pass smtp.mailfrom=bank.example",
}


@pytest.mark.parametrize("case", inbound("authres.json", "incoming_large"))
def test_published_large_case(case: dict[str, Any]) -> None:
    value = LARGE[case["id"]]
    times = case.get("repeat", {}).get("times", 1)
    assert all(is_ours(value, OURS) for _ in range(times))


@pytest.mark.parametrize(
    "value",
    [
        b" mx.example.com; none",
        b' (a) "MX\\.example.com" (b) 1 ; spf=pass',
        b" mx.example.com.; none",
        b"\n\tmx.example.com; none",
        b' " mx.example.com "; none',
        b" \xef\xbd\x8d\xef\xbd\x98.example.com; none",  # wide letters
        b" mx\xe3\x80\x82example.com; none",  # a full stop of Chinese
        # An id that is missing or cannot be read.
        b"",
        b" ; none",
        b" spf=pass",
        b" <mx.example.com>; none",
        b" i=1; mx.example.com; none",
        b" relay.example.net spf=pass",
        b" (relay.example.net; none",
        b' "relay.example.net; none',
        b" relay\x00.example.net; none",
        b" relay\r.example.net; none",
    ],
)
def test_removed(value: bytes) -> None:
    assert is_ours(value, OURS)


@pytest.mark.parametrize(
    "value",
    [
        b" relay.example.net; none",
        b" relay.example.net; this cannot be read, but it is not about us",
        b" mx.example.com.example.net; none",
        b' "mx.example.com;"; none',
        b" mx@example.com; none",
        b" m\xd1\x85.example.com; none",
        b" m\xff.example.com; none",
        b" " + b"\xc3\xbc" * 30_000 + b"; none",
    ],
)
def test_kept(value: bytes) -> None:
    assert not is_ours(value, OURS)
    assert not is_ours(value, "mx.bücher.example")


def test_large_ids_are_not_remembered() -> None:
    _comparable.cache_clear()
    for n in range(64):
        assert not is_ours(b" %d" % n + b"x" * 30_000 + b"; none", OURS)
    assert _comparable.cache_info().currsize == 0


def test_our_own_id_may_be_given_in_any_form() -> None:
    assert is_ours(b" MX.xn--bcher-kva.example 2; none", "mx.BÜCHER.example")
    assert is_ours(b" mx.B\xc3\x9cCHER.example; none", "mx.xn--bcher-kva.example.")
    assert not is_ours(b" \xff; none", "\udcff")
