"""The verification of chains, case by case as the suites have them."""

import time
from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import pytest

from opensmtpd.dns import Found, Question, RecordType
from opensmtpd.mail.arc.verify import ArcResult, ArcVerification
from opensmtpd.mail.dkim.verify.bodies import HASHES_MAX, BodyHashes
from opensmtpd.mail.dkim.verify.key_record import PublicKey
from unit.support import valimail
from unit.support.arc_messages import NOW, SUITES, seal_suite, sealed_message, verified

VALIMAIL = valimail.cases(SUITES / "arc" / "arc-draft-validation-tests.yml")
SEAL = seal_suite()
CHAIN_OF_2 = "chain-of-2"

needs_suite = pytest.mark.skipif(not SEAL["cases"], reason=f"no suite in {SUITES}")


@pytest.mark.skipif(not VALIMAIL, reason=f"no suite in {SUITES}")
def test_the_suite_is_whole() -> None:
    assert len({case.name for case in VALIMAIL}) == 171
    assert len(VALIMAIL) == 175, "four names stand there twice"


@pytest.mark.parametrize("case", VALIMAIL, ids=lambda case: case.name)
def test_valimail(case: valimail.Case) -> None:
    assert verified(case.message, case.records).result == case.cv


@pytest.mark.parametrize("case", SEAL["cases"], ids=lambda case: case["id"])
def test_arc_seal_json(case: dict[str, Any]) -> None:
    found = verified(case["message"], case["zone"])
    assert found.result in [case["arc"], *case.get("accept", [])]
    assert (found.next_instance is None) == (case["seal"] is None)
    if case["seal"]:
        assert found.next_instance == case["seal"]["i"]
    assert found.reason.isascii()
    assert found.reason.isprintable()
    assert bool(found.reason) == (found.result not in ("none", "pass"))


def zone() -> Mapping[str, str | None]:
    found: Mapping[str, str | None] = SEAL["zone"]
    return found


@needs_suite
def test_all_of_a_pass() -> None:
    assert verified(sealed_message(CHAIN_OF_2), zone()) == ArcResult(
        "pass",
        "",
        2,
        ("forward.example", "list.example"),
        0,
        b" i=2; forward.example;\n arc=pass;\n spf=pass smtp.mailfrom=alice@example.org",
        3,
    )


def test_no_chain() -> None:
    assert verified(b"From: a@example.org\n\nhello\n", {}) == ArcResult("none", next_instance=1)
    assert verified(b"", {}) == ArcResult("none", next_instance=1)


@needs_suite
def test_older_message_signatures_tell_who_changed_the_message() -> None:
    broken = verified(sealed_message("older-message-signature-broken"), zone())
    assert (broken.result, broken.oldest_pass) == ("pass", 2)
    assert verified(sealed_message("chain-of-3"), zone()).oldest_pass == 0


@needs_suite
def test_who_sealed_is_told_of_a_pass_only() -> None:
    failed = verified(sealed_message("body-changed-after-last-seal"), zone())
    assert failed == ArcResult(
        "fail", "ARC-Message-Signature of instance 2 has another body hash", 2, next_instance=3
    )


@needs_suite
def test_a_key_that_is_not_had_now_is_no_failure() -> None:
    down = {**zone(), "s1._domainkey.list.example": "SERVFAIL"}
    assert verified(sealed_message(CHAIN_OF_2), down) == ArcResult(
        "temperror", "ARC-Seal of instance 1: the key could not be asked for", 2
    )
    broken = sealed_message("body-changed-after-last-seal")
    assert verified(broken, down).result == "fail", "what is sure comes first"


@needs_suite
def test_claims_that_nobody_verified() -> None:
    header, _, body = sealed_message(CHAIN_OF_2).partition(b"\n\n")
    bodies = BodyHashes()
    verification = ArcVerification(b"\n" + header, bodies, now=NOW)
    lookup = verification.keys()
    questions = next(lookup)
    assert isinstance(questions, list)
    with pytest.raises(StopIteration):
        lookup.send([Found((zone()[question.name] or "",)) for question in questions])
    bodies.feed(body.removesuffix(b"\n").split(b"\n"))
    bodies.end()
    assert len(verification.claims()) == 4
    for replies in (None, [], [["pass", 2048]] * 3, [["maybe", 2048]] * 4, [None] * 4, b"pass"):
        assert verification.result(replies) == ArcResult(
            "temperror", "ARC-Message-Signature of instance 2 was not verified", 2
        )
    assert verification.result([["pass", 2048]] * 4).result == "pass"


@needs_suite
def test_a_broken_body_needs_no_worker_and_a_broken_structure_no_question() -> None:
    header, _, _ = sealed_message(CHAIN_OF_2).partition(b"\n\n")
    bodies = BodyHashes()
    verification = ArcVerification(b"\n" + header, bodies, now=NOW)
    bodies.end()
    assert verification.claims() == []
    header, _, _ = sealed_message("signature-twice").partition(b"\n\n")
    assert list(ArcVerification(b"\n" + header, BodyHashes(), now=NOW).keys()) == []


@needs_suite
def test_the_few_body_hashes_may_be_taken() -> None:
    bodies = BodyHashes()
    for length in range(HASHES_MAX):
        bodies.want("relaxed", length)
    header, _, _ = sealed_message(CHAIN_OF_2).partition(b"\n\n")
    found = ArcVerification(b"\n" + header, bodies, now=NOW).result([])
    assert (found.result, found.reason) == (
        "fail",
        "ARC-Message-Signature of instance 2: too many different body hashes in this message",
    )


@needs_suite
@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b"t=1764331202; h=", b"t=1764331202; x=1764331203; h=", "expired"),
        (b"h=from : to", b"h=arc-seal : from : to", "h= names ARC-Seal"),
        (b"bh=nZet", b"bh=!nZet", "bh= is no base64"),
    ],
)
def test_a_message_signature_that_cannot_hold(old: bytes, new: bytes, reason: str) -> None:
    message = sealed_message(CHAIN_OF_2).replace(old, new, 1)
    assert verified(message, zone()).reason == f"ARC-Message-Signature of instance 2: {reason}"


@needs_suite
def test_each_byte_of_the_sets_counts() -> None:
    """A letter or digit more, in any of 200 places of the fields of ARC, and nothing passes."""
    message = sealed_message(CHAIN_OF_2)
    end = message.index(b"\nFrom:")
    for at in range(20, end, end // 200):
        changed = message[:at] + b"7" + message[at:]
        if message[at - 1 : at + 1].isspace() or changed == message:
            continue
        assert verified(changed, zone()).result != "pass", changed[at - 20 : at + 20]


def test_older_message_signatures_of_a_large_header_are_left_alone() -> None:
    """Each of 50 covers the whole header, of 1 MB: only as many are looked at as cost little."""
    fields = [b"To: " + b"a@example.org, " * 600] * 100
    names = b":".join([b"to"] * 100)
    for at in range(50, 0, -1):
        tags = b"i=%d; a=rsa-sha256; d=example.org; s=s; b=AAAA" % at
        fields += [
            b"ARC-Seal: cv=%s; %s" % (b"pass" if at > 1 else b"none", tags),
            b"ARC-Message-Signature: c=relaxed/relaxed; bh=AAAA; h=%s; %s" % (names, tags),
            b"ARC-Authentication-Results: i=%d; example.org; none" % at,
        ]
    begin = time.process_time()
    found = verified(b"\n".join(fields) + b"\n\n", {"s._domainkey.example.org": "v=DKIM1; p=AAAA"})
    assert time.process_time() - begin < 1
    assert (found.result, found.instance) == ("fail", 50)


def test_the_key_of_fifty_sets_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its answer is one of 5,000 records, none of which has a key."""
    fields = []
    for at in range(50, 0, -1):
        tags = b"i=%d; a=rsa-sha256; d=example.org; s=s; b=AAAA" % at
        fields += [
            b"ARC-Seal: cv=%s; %s" % (b"pass" if at > 1 else b"none", tags),
            b"ARC-Message-Signature: bh=AAAA; h=to; %s" % tags,
            b"ARC-Authentication-Results: i=%d; example.org; none" % at,
        ]
    read = []
    of = PublicKey.of

    def counted(record: bytes, kind: str) -> PublicKey:
        read.append(record)
        return of(record, kind)

    monkeypatch.setattr(PublicKey, "of", counted)
    bodies = BodyHashes()
    verification = ArcVerification(b"\n" + b"\n".join(fields), bodies, now=NOW)
    bodies.end()
    lookup = verification.keys()
    assert next(lookup) == [Question("s._domainkey.example.org", RecordType.TXT)]
    with pytest.raises(StopIteration):
        lookup.send([Found(("",) * 5000)])
    assert verification.claims() == []
    assert read == [b""] * 10
    assert verification.result([]).result == "fail"


@pytest.mark.parametrize(
    ("listed", "tags", "partial", "covers_from"),
    [
        (b"to:FROM ", b"", False, True),
        (b"to", b"", False, False),
        (b"from", b" l=7;", False, True),
        (b"from", b" l=2;", True, True),
    ],
)
def test_a_pass_tells_what_is_not_signed(
    listed: bytes, tags: bytes, partial: bool, covers_from: bool
) -> None:
    body = b"hello\r\n"[:2] if partial else b"hello\r\n"
    common = b"i=1; a=rsa-sha256; d=example.org; s=s; b=AAAA"
    header = (
        b"\nARC-Seal: cv=none; %s\nARC-Authentication-Results: i=1; mx.example; none"
        b"\nARC-Message-Signature: bh=%s; h=%s;%s %s\nFrom: a@example.org"
    ) % (common, b64encode(sha256(body).digest()), listed, tags, common)
    bodies = BodyHashes()
    verification = ArcVerification(header, bodies, now=NOW)
    lookup = verification.keys()
    next(lookup)
    with pytest.raises(StopIteration):
        lookup.send([Found(("p=AAAA",))])
    bodies.feed([b"hello"])
    bodies.end()
    assert len(verification.claims()) == 2
    found = verification.result([["pass", 2048]] * 2)
    assert (found.result, found.partial, found.covers_from) == ("pass", partial, covers_from)
