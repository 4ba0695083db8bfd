"""Headers made to be slow or large: what they cost grows with their size and no faster.

Counted are the instructions of Python that run, not seconds.
"""

import sys
from collections.abc import Callable
from contextlib import suppress

import pytest

from opensmtpd.errors import Unsignable
from opensmtpd.mail.dkim.sign.signer import ALL_HEADERS_MAX, HEADER_MAX, LARGE, Signer, Signing
from opensmtpd.mail.dkim.sign.style import Style
from unit.support.dkim_signing import ring
from unit.support.traced import steps

Header = Callable[[int], list[bytes]]
HEADERS: dict[str, Header] = {
    "bare To and Date": lambda n: [b"From: a@b.example"] + [b"To:a", b"Date:"] * (n // 11),
    "bare To": lambda n: [b"From: a@b.example"] + [b"To:a"] * (n // 5),
    "dotted domain": lambda n: [b"From: <a@" + b"a." * (n // 2) + b"b>"],
    "parentheses": lambda n: [b"From: " + b"(" * n],
    "quotes": lambda n: [b"From: " + b'"' * n],
    "escapes": lambda n: [b"From: " + b"\\\\" * (n // 2)],
    "commas": lambda n: [b"From: " + b"," * n],
    "groups": lambda n: [b"From: " + b"a:" * (n // 2)],
    "angles": lambda n: [b"From: " + b"<" * n],
}


@pytest.fixture
def signer(ed25519_file: str) -> Signer:
    return Signer(ring(("b.example", "s", ed25519_file)), Style())


def cost(signer: Signer, lines: list[bytes]) -> int:
    """Return the steps that it takes to prepare a signature."""
    signing = Signing(signer)
    signing.header(lines)

    def prepare() -> None:
        with suppress(Unsignable):
            signing.prepare()

    return steps(prepare)


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
def test_twice_the_header_costs_twice_as_much(signer: Signer, header: Header) -> None:
    assert cost(signer, header(8_000)) <= 2.5 * cost(signer, header(4_000)) + 200


def test_each_name_is_left_out_once(signer: Signer) -> None:
    signing = Signing(signer)
    signing.header([b"From: a@b.example", *[b"To: a", b"Cc: b"] * 500])
    assert signing.prepare().left_out == dict.fromkeys(
        ("to", "cc"), "a bare address, which smtpd will complete"
    )


def test_a_domain_longer_than_a_name_in_the_dns_is_none(signer: Signer) -> None:
    signing = Signing(signer)
    signing.header([b"From: <a@" + b"a." * 127 + b"bc>"])
    stranger = signing.prepare().signatories.stranger
    assert (str(stranger), stranger and stranger.domain) == ("no domain in From", None)


def test_a_header_takes_about_its_own_size(signer: Signer) -> None:
    """Kept in blocks as it came, not in lines, of which each takes 35 bytes and a pointer."""
    signing = Signing(signer)
    for _ in range(HEADER_MAX // 3000):
        signing.header([b"ab"] * 1000)
    assert sum(map(sys.getsizeof, signing._blocks)) < 1.1 * HEADER_MAX


def test_all_headers_together_are_bounded(signer: Signer) -> None:
    signings = [Signing(signer) for _ in range(100)]
    for signing in signings:
        signing.header([b"From: a@b.example", *[b"ab"] * (HEADER_MAX // 3 - 20)])
    kept = sum(sum(map(len, signing._blocks)) for signing in signings)
    assert 0 < kept <= ALL_HEADERS_MAX
    with pytest.raises(Unsignable, match="too many such at once"):
        signings[-1].prepare()
    del signings, signing
    after = Signing(signer)
    after.header([b"From: a@b.example", *[b"ab"] * 10_000])
    assert len(after.prepare().fields) == 1


def test_large_headers_of_others_cost_a_message_nothing(signer: Signer) -> None:
    def cost_of_a_run(others: int) -> int:
        signings = [Signing(signer) for _ in range(others + 1)]
        for each in signings:
            each.header([b"ab"] * (LARGE // 3 + 1))
        return steps(lambda: signings[0].header([b"Subject: x"]))

    assert cost_of_a_run(500) == cost_of_a_run(5) < 600
