"""Whatever header comes, what smtpd still does to it breaks no signature of filter-dkimsign.

tests/integration/dkimsign/test_odd_headers.py sends such messages through smtpd itself; here its
model does to them what it does, so that there can be many.
"""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integration.support.odd_headers import message
from lab.peers.passage import Passage, through_smtpd
from lab.peers.second_verifier import fields, flaw
from opensmtpd.errors import Unsignable
from opensmtpd.mail.dkim.keys.keyring import Keyring
from opensmtpd.mail.dkim.sign.signer import Signer, Signing
from opensmtpd.mail.dkim.sign.style import (
    NAMES,
    Canonicalization,
    Style,
    field_names,
    oversigned,
)
from unit.support.dkim_material import RSA_PEM, RSA_PUBLIC
from unit.support.dkim_signing import ring, signed

RECEIVED = [b"Received: from x", b"\tby y;", b"\tThu, 1 Jan 2026 00:00:00 +0000"]
RELAYED = [b"Return-Path: <a@example.com>", b"Received: from z", b"X-Spam: no"]
"""What mail systems on the way put in front of all."""
LISTED = field_names(f"{NAMES}:message-id:sender:received:return-path:dkim-signature:x-spam:bcc")


@pytest.fixture(scope="module")
def keyring(tmp_path_factory: pytest.TempPathFactory) -> Keyring:
    path = tmp_path_factory.mktemp("keys") / "private.key"
    path.write_text(RSA_PEM, encoding="ascii")
    path.chmod(0o600)
    return ring(("example.com", "mail", str(path)))


@settings(max_examples=500)
@given(
    seed=st.integers(0, 2**64),
    canonicalization=st.sampled_from(["simple", "relaxed"]),
    oversigns=st.booleans(),
    listener=st.sampled_from(["other", "local", "local with -m"]),
)
def test_what_smtpd_does_breaks_no_signature(
    keyring: Keyring,
    seed: int,
    canonicalization: Canonicalization,
    oversigns: bool,
    listener: str,
) -> None:
    sent = message(Random(seed))
    passage = through_smtpd(sent)
    if passage is None:
        return
    style = Style(
        canonicalization, names=LISTED, oversigned=oversigned(LISTED) if oversigns else ()
    )
    signing = Signing(Signer(keyring, style), add_missing=listener == "local with -m")
    lines = [line.removesuffix(b"\r").partition(b"\0")[0] for line in sent.split(b"\n")[:-1]]
    blank = lines.index(b"") if b"" in lines else len(lines)
    signing.header([*RECEIVED, *lines[:blank]])
    signing.body(lines[blank + 1 :])
    authors = [one for one in fields(passage.header) if one.name == b"from"]
    if not authors or b"from" in passage.completed:
        with pytest.raises(Unsignable):
            signing.prepare()
        return
    prepared = signing.prepare()
    delivered = [*signed(prepared), *RECEIVED, *passage.header]
    if listener == "local":
        delivered += added(passage)
    delivered += passage.body
    whole = b"".join(line + b"\n" for line in [*RELAYED, *delivered])
    assert flaw(whole, lambda _: RSA_PUBLIC) is None


def added(passage: Passage) -> list[bytes]:
    """Return the fields that smtpd adds on port 587 and local listeners."""
    fields = (b"Date: now", b"Message-ID: <id>")
    return [line for line in fields if line.partition(b":")[0].lower() not in passage.fields]
