"""What others sign verifies here, and with one byte changed it does not; what we sign, too.

Each run has other messages if ``OPENSMTPD_PLUGINS_SEED`` says so; ``OPENSMTPD_PLUGINS_SIGNED`` is
their number for each signer and each pair of canonicalizations.
"""

import os
from collections import Counter
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integration.support import odd_headers
from lab.peers.signers import SIGNERS, Signer, Wish, signer
from opensmtpd.dns import run_lookup
from opensmtpd.errors import Unsignable
from opensmtpd.mail.dkim.keys.keyring import Keyring
from opensmtpd.mail.dkim.sign.signer import Signer as OurSigner
from opensmtpd.mail.dkim.sign.signer import Signing
from opensmtpd.mail.dkim.sign.style import NAMES, Canonicalization, Style, field_names, oversigned
from opensmtpd.mail.dkim.verify.bodies import BodyHashes
from opensmtpd.mail.dkim.verify.verifier import DkimVerification
from unit.support import dkim_fresh
from unit.support.dkim_made import RECORDS
from unit.support.dkim_material import RSA_PEM
from unit.support.dkim_signing import ring, signed
from unit.support.dkim_verifying import answers, verified, zone_of

SEED = os.environ.get("OPENSMTPD_PLUGINS_SEED", "1")
COUNT = int(os.environ.get("OPENSMTPD_PLUGINS_SIGNED", "20"))
ZONE = zone_of(RECORDS)
FORMS: tuple[Canonicalization, ...] = ("simple", "relaxed")
LISTED = field_names(f"{NAMES}:message-id:sender:received:return-path:dkim-signature:x-spam:bcc")


@pytest.fixture(scope="module")
def keyring(tmp_path_factory: pytest.TempPathFactory) -> Keyring:
    path = tmp_path_factory.mktemp("keys") / "private.key"
    path.write_text(RSA_PEM, encoding="ascii")
    path.chmod(0o600)
    return ring(("example.com", "mail", str(path)))


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


@settings(max_examples=200)
@given(
    seed=st.integers(0, 2**64),
    header=st.sampled_from(FORMS),
    body=st.sampled_from(FORMS),
    oversigns=st.booleans(),
)
def test_what_we_sign(
    keyring: Keyring,
    seed: int,
    header: Canonicalization,
    body: Canonicalization,
    oversigns: bool,
) -> None:
    """Odd headers, as in test_odd_headers.py: bare CRs, 8-bit octets, blanks before colons."""
    sent = odd_headers.message(Random(seed))
    lines = [line.removesuffix(b"\r").partition(b"\0")[0] for line in sent.split(b"\n")[:-1]]
    blank = lines.index(b"") if b"" in lines else len(lines)
    top = [b"Received: from x", *lines[:blank]]  # smtpd's: a client's may begin with any line
    style = Style(header, body, names=LISTED, oversigned=oversigned(LISTED) if oversigns else ())
    signing = Signing(OurSigner(keyring, style))
    signing.header(top)
    signing.body(lines[blank + 1 :])
    try:
        prepared = signing.prepare()
    except Unsignable:
        return
    bodies = BodyHashes()
    whole = b"".join([b"\n" + line for line in [*signed(prepared), *top]])
    verification = DkimVerification(whole, bodies, author=None, now=0)
    bodies.feed(lines[blank + 1 :])
    bodies.end()
    assert run_lookup(verification.keys(), ZONE, 0.0) is None
    results = verification.results(answers(verification.claims()))
    assert results[0][:2] == ("pass", "")
