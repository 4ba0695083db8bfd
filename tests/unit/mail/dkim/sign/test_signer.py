"""Whole messages: each signature is put to the judgement of dkimpy."""

from collections.abc import Sequence
from typing import Any

import pytest

from opensmtpd.errors import LocalError, Unsignable
from opensmtpd.mail.dkim.keys.keyring import Identity, Keyring
from opensmtpd.mail.dkim.sign.signer import HEADER_MAX, Prepared, Signer, Signing
from opensmtpd.mail.dkim.sign.style import Style, field_names, oversigned
from unit.support.dkim_material import tags, verifies
from unit.support.dkim_signing import ring, signed

NOW = 1_767_225_600.75
HEADER = [
    b"Received: from client.example (client.example [192.0.2.5])",
    b"\tby example.com (OpenSMTPD) with ESMTP id 1;",
    b"\tThu, 1 Jan 2026 00:00:00 +0000 (UTC)",
    b"From: Ann <ann@example.com>",
    b"To: Bob <bob@example.org>,",
    b"\tcarol@example.org",
    b"Subject: a  message",
    b"Date: Thu, 1 Jan 2026 00:00:00 +0000",
]
BODY = [b"Hello ", b"", b"one\t two", b"", b""]


def prepare(
    keyring: Keyring,
    header: Sequence[bytes] = HEADER,
    body: Sequence[bytes] = BODY,
    style: Style | None = None,
    add_missing: bool = False,
) -> Prepared:
    signing = Signing(Signer(keyring, style or Style(), clock=lambda: NOW), add_missing)
    signing.header(list(header))
    signing.body(list(body))
    return signing.prepare()


def sign(
    keyring: Keyring,
    header: Sequence[bytes] = HEADER,
    body: Sequence[bytes] = BODY,
    style: Style | None = None,
) -> list[bytes]:
    return signed(prepare(keyring, header, body, style))


STYLES = [
    Style(header=header, body=body)
    for header in ("simple", "relaxed")
    for body in ("simple", "relaxed")
]  # fmt: skip


@pytest.mark.parametrize("style", STYLES, ids=lambda style: f"{style.header}/{style.body}")
@pytest.mark.parametrize("selector", ["mail", "ed"])
def test_verifies(style: Style, selector: str, rsa_file: str, ed25519_file: str) -> None:
    file = {"mail": rsa_file, "ed": ed25519_file}[selector]
    lines = sign(ring(("example.com", selector, file)), style=style)
    assert verifies([*lines, *HEADER, b"", *BODY])
    assert not verifies([*lines, *HEADER[:-1], b"Date: other", b"", *BODY])
    assert not verifies([*lines, *HEADER, b"", b"other"])


def test_names_from_bottom_to_top(keyring: Keyring) -> None:
    header = [*HEADER, b"SUBJECT: another"]
    lines = sign(keyring, header)
    assert tags(lines)[b"h"] == b"subject:date:subject:to:from"
    assert verifies([*lines, *header, b"", *BODY])


def test_a_name_with_a_gap_is_covered_too(keyring: Keyring) -> None:
    """dkimpy refuses to read such a message; RFC 5322 section 4.5 does not."""
    lines = sign(keyring, [*HEADER, b"subject \t: third"])
    assert tags(lines)[b"h"] == b"subject:date:subject:to:from"


@pytest.mark.parametrize("number", [1, 2, 9])
def test_several_from_are_all_covered(keyring: Keyring, number: int) -> None:
    header = HEADER + [b"From: other@example.net"] * (number - 1)
    found = tags(sign(keyring, header))
    assert found[b"h"].split(b":").count(b"from") == number
    assert found[b"d"] == b"example.com"


def test_two_keys_two_signatures(rsa_file: str, ed25519_file: str) -> None:
    both = ring(("example.com", "mail", rsa_file), ("example.com", "ed", ed25519_file))
    lines = [*sign(both), *HEADER, b"", *BODY]
    assert b"a=rsa-sha256" in lines[0]
    assert verifies(lines, 0)
    assert verifies(lines, 1)


def test_the_domain_is_written_as_it_was_configured(rsa_file: str) -> None:
    keyring = ring(("first.example", "mail", rsa_file), ("EXAMPLE.com", "mail", rsa_file))
    assert tags(sign(keyring))[b"d"] == b"EXAMPLE.com"
    header = [b"From: ann@sub.Example.Com"]
    assert tags(sign(keyring, header))[b"d"] == b"EXAMPLE.com"
    header = [b"From: ann@elsewhere.example"]
    assert tags(sign(keyring, header))[b"d"] == b"first.example"


def test_only_the_topmost_from_decides(rsa_file: str) -> None:
    keyring = ring(("first.example", "mail", rsa_file), ("example.com", "mail", rsa_file))
    header = [b"From: a@elsewhere.example", b"From: a@example.com"]
    assert tags(sign(keyring, header))[b"d"] == b"first.example"


def test_unmatched_skip(keyring: Keyring) -> None:
    with pytest.raises(Unsignable) as caught:
        sign(keyring, [b"From: a@elsewhere.example"], style=Style(unmatched="skip"))
    assert str(caught.value) == "no key for the domain"
    assert caught.value.domain == b"elsewhere.example"


BARE = "a bare address in From, which smtpd will complete"


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ([], "no From field"),
        ([b"Subject: no author"], "no From field"),
        ([b" From: folded onto nothing <a@example.com>"], "no From field"),
        ([b"From: root"], BARE),
        ([b"From: ann@example.com, root"], BARE),
        ([b"From: ann@example.com", b"From: root"], BARE),
    ],
)
def test_what_must_not_be_signed(keyring: Keyring, header: list[bytes], reason: str) -> None:
    with pytest.raises(Unsignable) as caught:
        sign(keyring, header)
    assert str(caught.value) == reason
    assert caught.value.domain is None


NO_DOMAIN = [
    b"From:",
    b"From: <>",
    b"From: a@b@example.com",
    b"From: a@example.com b@example.com",
    b"From: <a@example.com",
    b"From: \xfc@\xfc.example",  # not UTF-8
    b"From: <a@" + b"a." * 127 + b"bc>",  # longer than a name in the DNS
    b"From : root",  # smtpd completes no field with a gap
]


@pytest.mark.parametrize("author", NO_DOMAIN, ids=lambda author: repr(author[:40]))
def test_an_author_whose_domain_cannot_be_read_is_one_without_a_key(
    keyring: Keyring, author: bytes
) -> None:
    header = [author, b"Subject: x"]
    prepared = prepare(keyring, header)
    assert tags(signed(prepared))[b"d"] == b"example.com"
    assert tags(signed(prepared))[b"h"] == b"subject:from"
    if author.startswith(b"From:"):  # dkimpy does not read the other
        assert verifies([*signed(prepared), *header, b"", *BODY])
    stranger = prepared.signatories.stranger
    assert (str(stranger), stranger and stranger.domain) == ("no domain in From", None)
    with pytest.raises(Unsignable, match="no domain in From"):
        prepare(keyring, header, style=Style(unmatched="skip"))


def test_an_author_of_another_domain_is_told(keyring: Keyring) -> None:
    stranger = prepare(keyring, [b"From: a@exmaple.com"]).signatories.stranger
    assert (str(stranger), stranger and stranger.domain) == (
        "no key for the domain",
        b"exmaple.com",
    )
    assert prepare(keyring, [b"From: a@sub.example.com"]).signatories.stranger is None


def test_what_smtpd_will_complete_is_not_covered(keyring: Keyring) -> None:
    header = [*HEADER, b"Cc: root", b"CC: dave@example.org", b"to: eve@example.org"]
    prepared = prepare(keyring, header)
    assert prepared.left_out == {"cc": "a bare address, which smtpd will complete"}
    assert tags(signed(prepared))[b"h"] == b"to:date:subject:to:from"
    header[8] = b"Cc: root@example.com"  # what smtpd makes of it
    assert verifies([*signed(prepared), *header, b"", *BODY])


@pytest.mark.parametrize("name", [b"Date", b"DATE", b"Message-ID"])
def test_a_field_below_which_smtpd_adds_its_own_is_not_covered(
    keyring: Keyring, name: bytes
) -> None:
    """smtpd does not know the name with a blank behind it; verifiers count from the bottom."""
    style = Style(names=field_names("from:subject:date:message-id"))
    header = [b"From: ann@example.com", name + b" : x", b"Subject: y"]
    prepared = prepare(keyring, header, style=style)
    assert list(prepared.left_out) == [name.decode().lower()]
    assert tags(signed(prepared))[b"h"] == b"subject:from"
    known = [*header, name + b": smtpd knows this one"]
    covered = tags(signed(prepare(keyring, known, style=style)))[b"h"]
    assert covered == b"%b:subject:%b:from" % (name.lower(), name.lower())


def test_a_field_that_we_add_makes_smtpd_add_none(keyring: Keyring) -> None:
    header = [b"From: ann@example.com", b"Date : x"]
    prepared = prepare(keyring, header, add_missing=True)
    assert prepared.left_out == {}
    assert tags(signed(prepared))[b"h"] == b"date:from:date"


@pytest.mark.parametrize("odd", [b"\r", b"\v", b"\f"])
def test_what_verifiers_read_differently_is_not_covered(keyring: Keyring, odd: bytes) -> None:
    header = [b"From: ann@example.com", b"Subject: x" + odd, b"Subject: y", b"To: z@example.org"]
    prepared = prepare(keyring, header, style=Style("relaxed", oversigned=(b"to", b"subject")))
    assert prepared.left_out == {
        "subject": "CR, VT or FF, which verifiers do not canonicalize alike"
    }
    assert tags(signed(prepared))[b"h"] == b"to:from:to"
    assert tags(sign(keyring, header))[b"h"] == b"to:subject:subject:from"  # simple is simple
    odd_author = [b"From: " + odd + b"Ann <ann@example.com>" + odd]
    assert tags(sign(keyring, odd_author, style=Style("relaxed")))[b"h"] == b"from"


def test_header_too_large(keyring: Keyring) -> None:
    signing = Signing(Signer(keyring, Style()))
    signing.header(HEADER)
    for _ in range(17):
        signing.header([b"X: " + b"x" * 65_000])
    signing.header(HEADER)
    with pytest.raises(Unsignable) as caught:
        signing.prepare()
    assert str(caught.value) == f"header larger than {HEADER_MAX} bytes, or too many such at once"


def test_a_header_that_just_fits(keyring: Keyring) -> None:
    header = [*HEADER, b"X: " + b"x" * (HEADER_MAX - sum(map(len, HEADER)) - len(HEADER) - 4)]
    lines = sign(keyring, header)
    assert tags(lines)[b"h"] == b"date:subject:to:from"


def test_large_headers_are_told(keyring: Keyring) -> None:
    signing = Signing(Signer(keyring, Style()))
    signing.header(HEADER)
    assert not signing.large
    signing.header([b"X: " + b"x" * 65_530])
    assert signing.large


def test_times(keyring: Keyring) -> None:
    style = Style(timestamp=True, lifetime=3600)
    lines = sign(keyring, style=style)
    assert (tags(lines)[b"t"], tags(lines)[b"x"]) == (b"1767225600", b"1767229200")
    assert b"t" not in tags(sign(keyring, style=Style(lifetime=1)))
    assert tags(sign(keyring, style=Style(lifetime=2**63 - 1)))[b"x"] == b"9223372036854775807"


@pytest.mark.parametrize("style", STYLES, ids=lambda style: f"{style.header}/{style.body}")
def test_oversigning(keyring: Keyring, style: Style) -> None:
    style = style._replace(oversigned=oversigned(None))
    lines = sign(keyring, style=style)
    assert tags(lines)[b"h"] == (
        b"date:subject:to:from:from:reply-to:subject:to:cc:in-reply-to:references"
    )
    assert verifies([*lines, *HEADER, b"", *BODY])
    assert verifies([*lines, b"Date: added later", *HEADER, b"", *BODY])
    assert not verifies([*lines, b"Subject: added later", *HEADER, b"", *BODY])
    assert not verifies([*lines, b"Cc: added later", *HEADER, b"", *BODY])


@pytest.mark.parametrize("style", STYLES, ids=lambda style: f"{style.header}/{style.body}")
def test_other_signatures_may_be_covered_but_not_oversigned(
    style: Style, rsa_file: str, ed25519_file: str
) -> None:
    names = field_names("from:to:dkim-signature:received")
    style = style._replace(names=names, oversigned=oversigned(names))
    both = ring(("example.com", "mail", rsa_file), ("example.com", "ed", ed25519_file))
    header = [*HEADER, b"DKIM-Signature: v=1; a=rsa-sha256; d=other.example; b="]
    lines = sign(both, header, style=style)
    assert tags(lines)[b"h"] == b"dkim-signature:to:from:received:from:to"
    for index in (0, 1):
        assert verifies([*lines, *header, b"", *BODY], index)
    assert verifies([b"Received: from elsewhere", *lines, *header, b"", *BODY])


def test_one_click_unsubscription_is_covered(keyring: Keyring) -> None:
    """RFC 8058 section 4 wants both fields covered."""
    one_click = [b"List-Unsubscribe: <https://x>", b"List-Unsubscribe-Post: y"]
    lines = sign(keyring, [*HEADER, *one_click])
    covered = tags(lines)[b"h"]
    assert covered == b"list-unsubscribe-post:list-unsubscribe:date:subject:to:from"
    assert verifies([*lines, *HEADER, *one_click, b"", *BODY])


def test_what_is_left_out_is_not_oversigned(keyring: Keyring) -> None:
    style = Style(oversigned=oversigned(None))
    lines = sign(keyring, [b"From: ann@example.com", b"To: root"], style=style)
    assert tags(lines)[b"h"] == b"from:from:reply-to:subject:cc:in-reply-to:references"


def test_copies_of_what_is_covered(keyring: Keyring) -> None:
    lines = sign(keyring, style=Style(copies=1))
    assert tags(lines)[b"z"] == (
        b"From:=20Ann=20<ann@example.com>=0D=0A|To:=20Bob=20<bob@example.org>,=0D=0A"
        b"=09carol@example.org=0D=0A|Subject:=20a=20=20message=0D=0A"
        b"|Date:=20Thu,=201=20Jan=202026=2000:00:00=20+0000=0D=0A"
    )
    assert verifies([*lines, *HEADER, b"", *BODY])


def test_copies_of_all(keyring: Keyring) -> None:
    header = [b"X:|;", b"From: ann@example.com"]
    lines = sign(keyring, header, style=Style(copies=2))
    assert tags(lines)[b"z"] == b"X:=7C=3B=0D=0A|From:=20ann@example.com=0D=0A"
    assert tags(sign(keyring, header, style=Style(copies=3)))[b"z"] == tags(lines)[b"z"]
    assert verifies([*lines, *header, b"", *BODY])


def test_added_fields_stand_below_the_signature_and_are_covered(keyring: Keyring) -> None:
    header = [b"From: ann@example.com", b"Subject: no date"]
    style = Style(names=field_names("from:date:message-id"))
    prepared = prepare(keyring, header, style=style, add_missing=True)
    lines = signed(prepared)
    date, message_id = lines[-2:]
    assert date.startswith(b"Date: ")
    assert message_id.startswith(b"Message-ID: <")
    assert message_id.endswith(b"@example.com>")
    assert tags(lines)[b"h"] == b"from:message-id:date"
    assert verifies([*lines, *header, b"", *BODY])


def test_only_what_lacks_is_added(keyring: Keyring) -> None:
    lines = signed(prepare(keyring, [*HEADER, b"message-id: <1@x>"], add_missing=True))
    assert not any(line.startswith((b"Date", b"Message-ID")) for line in lines)


def test_message_id_is_covered_only_if_listed(keyring: Keyring) -> None:
    lines = signed(prepare(keyring, HEADER, add_missing=True))
    assert lines[-1].startswith(b"Message-ID: <")
    assert tags(lines)[b"h"] == b"date:subject:to:from"
    assert verifies([*lines, *HEADER, b"", *BODY])


def test_nothing_is_added_to_what_is_not_signed(keyring: Keyring) -> None:
    with pytest.raises(Unsignable):
        prepare(keyring, [b"Subject: x"], add_missing=True)


def test_a_digest_for_each_signature_is_asked_for(rsa_file: str, ed25519_file: str) -> None:
    both = ring(("example.com", "mail", rsa_file), ("example.com", "ed", ed25519_file))
    prepared = prepare(both)
    ids, digests = zip(*prepared.request, strict=True)
    assert list(ids) == [identity.key for identity in both]
    assert [len(digest) for digest in digests] == [32, 32]
    assert len(set(digests)) == 2  # each covers its own field
    assert signed(prepared) == signed(prepared)


def test_one_key_may_sign_for_many() -> None:
    identities = [Identity("example.com", name, "rsa-sha256", b"key") for name in ("a", "b")]
    prepared = prepare(Keyring(identities))
    lines = prepared.lines([b"x" * 64, b"y" * 64])
    assert sum(line.startswith(b"DKIM-Signature: ") for line in lines) == 2


@pytest.mark.parametrize(
    "reply",
    [None, b"x" * 64, [], [b"x" * 64] * 2, ["x" * 64], [b""], [b"x" * 63], [None], {0: b"x" * 64}],
    ids=repr,
)
def test_a_reply_that_holds_no_signatures(keyring: Keyring, reply: Any) -> None:
    with pytest.raises(LocalError, match=r"^a worker's reply that holds no signatures$"):
        prepare(keyring).lines(reply)
