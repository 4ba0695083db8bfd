"""Odd, generated and published messages: dkimpy finds each signature good."""

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd.errors import Unsignable
from opensmtpd.mail.dkim.keys.keyring import Keyring
from opensmtpd.mail.dkim.sign.signer import Signer, Signing
from opensmtpd.mail.dkim.sign.style import Style
from unit.mail.dkim.sign.test_signer import BODY, HEADER, STYLES, prepare, sign
from unit.support.dkim_material import readable, verifies
from unit.support.dkim_signing import ring, signed

ODD = [
    [b"\xff\x00\x80", b"\rbare\r", b"|", b"."],
    [b"x" * 65_000],
    [b""] * 1000,
    [b" ", b"\t", b" \t "],
    [],
]


@pytest.mark.parametrize("style", STYLES, ids=lambda style: f"{style.header}/{style.body}")
@pytest.mark.parametrize("body", ODD, ids=range(len(ODD)))
def test_odd_bodies_verify(keyring: Keyring, style: Style, body: list[bytes]) -> None:
    lines = sign(keyring, HEADER, body, style)
    assert verifies([*lines, *HEADER, b"", *body])


TEXT = st.lists(
    st.sampled_from(
        [b" ", b"  ", b"\t", b"a", b"B:", b"@", b"|", b"=", b";", b"\xc3\xbc", b"\xff", b"."]
    ),
    max_size=12,
).map(b"".join)
HEADERS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from([b"Subject", b"sUbject", b"Date", b"X", b"List-Id"]), TEXT).map(
            lambda pair: pair[0] + b":" + pair[1]
        ),
        TEXT.map(lambda text: b"\t" + text + b"x"),
    ),
    max_size=8,
)


@given(
    header=HEADERS,
    body=st.lists(TEXT, max_size=8),
    style=st.sampled_from(STYLES),
    z=st.integers(0, 2),
)
def test_any_message_verifies(
    header: list[bytes], body: list[bytes], style: Style, z: int, ed25519_file: str
) -> None:
    keyring = ring(("example.com", "ed", ed25519_file))
    header = [b"From: ann@example.com", b"Y:", *header]
    lines = sign(keyring, header, body, style._replace(copies=z))
    assert verifies([*lines, *header, b"", *body])
    assert all(len(line) <= 78 for line in lines)


@given(cuts=st.lists(st.integers(0, 13), max_size=4))
def test_any_cut_into_runs_signs_alike(cuts: list[int], ed25519_file: str) -> None:
    signer = Signer(ring(("example.com", "ed", ed25519_file)), Style("relaxed", "relaxed"))
    signing = Signing(signer)
    edges = [0, *sorted(cuts), 13]
    for one, other in pairwise(edges):
        signing.header(HEADER[one:other])
        signing.body((HEADER + BODY)[max(one, 8) : max(other, 8)])
    whole = Signing(signer)
    whole.header(HEADER)
    whole.body(BODY)
    assert signed(signing.prepare()) == signed(whole.prepare())


def test_messages_of_the_suite_verify(keyring: Keyring, suites: Path) -> None:
    style = Style("relaxed", "simple")
    count = 0
    for path in sorted((suites / "mail").rglob("*.*")):
        lines = path.read_bytes().replace(b"\0", b"").replace(b"\r\n", b"\n").split(b"\n")
        blank = lines.index(b"") if b"" in lines else len(lines)
        header, body = lines[:blank], lines[blank + 1 :]
        try:
            front = prepare(keyring, header, body, style)
        except Unsignable:
            continue
        message = [*signed(front), *header, b"", *body]
        if not front.left_out and readable(message):
            count += 1
            assert verifies(message), path
    assert count > 120
