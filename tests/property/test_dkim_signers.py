"""What other people's programs sign verifies here, and with one byte changed it does not.

Each run has other messages if ``OPENSMTPD_PLUGINS_SEED`` says so; ``OPENSMTPD_PLUGINS_SIGNED`` is
their number for each signer and each pair of canonicalizations.
"""

import os
from collections import Counter
from random import Random

import pytest

from lab.peers.signers import SIGNERS, Signer, Wish, signer
from unit.support import dkim_fresh
from unit.support.dkim_made import RECORDS
from unit.support.dkim_material import RSA_PEM
from unit.support.dkim_verifying import verified, zone_of

SEED = os.environ.get("OPENSMTPD_PLUGINS_SEED", "1")
COUNT = int(os.environ.get("OPENSMTPD_PLUGINS_SIGNED", "20"))
ZONE = zone_of(RECORDS)
FORMS = ("simple", "relaxed")


def need(name: str) -> Signer:
    """Return a signer, or skip the test; in CI its absence is a failure."""
    try:
        return signer(name, RSA_PEM)
    except OSError as error:
        why = f"no {name} here: {error}"
    if os.environ.get("CI"):
        pytest.fail(why)
    pytest.skip(why)


@pytest.mark.parametrize("header", FORMS)
@pytest.mark.parametrize("body", FORMS)
@pytest.mark.parametrize("name", SIGNERS)
def test_what_others_sign(name: str, header: str, body: str) -> None:
    theirs = need(name)
    for number in range(COUNT):
        dice = Random(f"{SEED} {name} {header} {body} {number}")
        fields, text = dkim_fresh.header(dice), dkim_fresh.body(dice)
        count = Counter(one.partition(b":")[0].lower() for one in fields)
        names = [b"from", *[one for one in count if one != b"from" and dice.random() < 0.6]]
        wish = Wish(header, body, name != "Mail::DKIM" and dice.random() < 0.2, names)
        signature = theirs.sign(b"".join(fields) + b"\r\n" + text, wish)

        def now(fields: list[bytes], text: bytes, signature: bytes = signature) -> tuple[str, str]:
            message = signature + b"".join(fields) + b"\r\n" + text
            return verified(message, ZONE)[0][:2]

        told = (number, signature, fields, text)
        assert now(fields, text) == ("pass", ""), told
        other = dkim_fresh.changed(dice, text)
        if other is not None:
            assert now(fields, other) == ("fail", "the body was changed"), (told, other)
        at, value = dice.choice(
            [
                (at, value)
                for at, (field, _, value) in enumerate(one.partition(b":") for one in fields)
                if field.lower() in names and count[field.lower()] == 1
            ]
        )
        changed = dkim_fresh.changed(dice, value)
        if changed is not None:
            fields[at] = fields[at].removesuffix(value) + changed
            assert now(fields, text) == ("fail", "the signature does not fit the header"), told
