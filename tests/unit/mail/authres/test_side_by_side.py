"""Our field beside that of the C filter-auth: the same words in the same order, and where not.

``unit.support.c_filter_auth`` lists all deliberate differences.
"""

from collections.abc import Mapping

import pytest

from opensmtpd.mail.authres.methods import arc, dkim, iprev, spf_helo, spf_mailfrom
from opensmtpd.mail.authres.write import ARC_NAME, NAME, Result, field_value
from unit.support.c_filter_auth import RECORDED, Recorded, mended, words

RSA = "KBB9Ud/QyzE8guMP"
"""The begin of b= in the signature."""

_PASS = dkim("pass", selector="s", domain="example.com", algorithm="rsa-sha256", signature=RSA)
_ED25519 = dkim(
    "pass", selector="e", domain="example.com", algorithm="ed25519-sha256",
    signature="LR5R8ltB370Gcgso",
)  # fmt: skip
SIGNATURES: Mapping[str, list[Result]] = {
    "one pass RSA": [_PASS],
    "ARC flag": [_PASS],
    "one pass Ed25519": [_ED25519],
    "two signatures": [_ED25519, _PASS],
    "body changed": [_PASS._replace(result="fail", reason="bh mismatch")],
    "header changed": [_PASS._replace(result="fail", reason="b mismatch")],
    "no key": [
        dkim(
            "permerror", "Unknown host", selector="gone", domain="example.com",
            algorithm="rsa-sha256", signature=RSA,
        )
    ],
}  # fmt: skip
CHAINS: Mapping[str, Result] = {
    "ARC broken": arc("fail", "bh mismatch", instance=1),
    "ARC two sets": arc("pass", instance=2),
    "ARC two sets, flag": arc("pass", instance=2),
}
NAMES: Mapping[str, str] = {
    "iprev fail": "fail",
    "iprev no name": "permerror",
    "iprev error": "temperror",
}
ENVELOPES: Mapping[str, tuple[str, str, str]] = {
    "null sender": ("pass", "pass", ""),
    "SPF fail": ("fail", "fail", ""),
    "SPF softfail": ("softfail", "softfail", ""),
    "SPF neutral": ("neutral", "neutral", ""),
    "SPF none": ("none", "none", ""),
    "SPF permerror": ("permerror", "permerror", ""),
    "SPF temperror": ("temperror", "temperror", "Host name lookup failure"),
}
"""Results of HELO and of MAIL FROM, and the reason for both."""


def results(case: Recorded) -> list[Result]:
    """Return the results of a message."""
    address = case.source.rpartition(":")[0].strip("[]")
    helo, sender, reason = ENVELOPES.get(case.title, ("none", "pass", ""))
    return [
        *SIGNATURES.get(case.title, [dkim("none")]),
        CHAINS.get(case.title, arc("none")),
        iprev(NAMES.get(case.title, "pass"), address),
        spf_helo(helo, case.helo, reason),
        spf_mailfrom(sender, case.sender or f"postmaster@{case.helo}", reason),
    ]


def ours(case: Recorded) -> list[str]:
    """Return the lines of our field."""
    instance = int(case.field.partition("i=")[2][0]) if "-A" in case.arguments else None
    name = NAME if instance is None else ARC_NAME
    authserv_id = case.arguments[-1] if case.arguments else "conf.test"
    first, *others = field_value(authserv_id, results(case), instance)
    return [(name + b": " + first).decode(), *(line.decode() for line in others)]


@pytest.mark.parametrize("case", RECORDED, ids=str)
def test_the_same_words_as_in_c_but_for_the_listed_differences(case: Recorded) -> None:
    assert words(ours(case)) == mended(case)


@pytest.mark.parametrize("case", RECORDED, ids=str)
def test_folded_as_in_c(case: Recorded) -> None:
    for lines in (ours(case), case.field.split("\n")):
        # C leaves a blank at the end of some lines; we leave none.
        assert all(len(line.rstrip().expandtabs(8)) <= 78 for line in lines)
        assert all(line[0] == "\t" for line in lines[1:])
    assert all(line == line.rstrip() for line in ours(case))


def test_a_field_as_a_whole() -> None:
    assert ours(RECORDED[0]) == [
        "Authentication-Results: mx.test; dkim=pass header.s=s header.d=example.com",
        '\theader.a=rsa-sha256 header.b="KBB9Ud/Q"; arc=none; iprev=pass',
        "\tpolicy.iprev=192.0.2.7; spf=none smtp.helo=mx.pass.test; spf=pass",
        "\tsmtp.mailfrom=alice@pass.test",
    ]
