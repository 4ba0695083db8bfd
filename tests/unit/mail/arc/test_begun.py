"""The set that filter-auth has begun."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd.errors import Unsignable
from opensmtpd.mail.arc.begun import BegunSet, begun_set

RECEIVED = b"Received: from client by mx.example"


def one_set(instance: int, cv: str) -> list[bytes]:
    return [
        b"ARC-Seal: i=%d; cv=%s; b=AAAA" % (instance, cv.encode()),
        b"ARC-Message-Signature: i=%d; b=AAAA" % instance,
        b"ARC-Authentication-Results: i=%d; mx.example; none" % instance,
    ]


def results(instance: int, arc: str) -> bytes:
    return b"ARC-Authentication-Results: i=%d; mx.example; arc=%s" % (instance, arc.encode())


def begun(*lines: bytes) -> BegunSet:
    return begun_set(b"".join(b"\n" + line for line in lines))


SECOND = [*one_set(2, "pass"), *one_set(1, "none")]


@pytest.mark.parametrize(
    ("top", "below", "instance", "cv"),
    [
        (results(1, "none"), [], 1, "none"),
        (results(2, "pass"), one_set(1, "none"), 2, "pass"),
        (results(3, "pass"), SECOND, 3, "pass"),
        (results(3, "fail"), SECOND, 3, "fail"),
        (results(3, "none"), SECOND, 3, "fail"),
        (results(1, "pass"), [], 1, "fail"),
        (results(1, "temperror"), [], 1, "fail"),
        (results(9, "fail"), SECOND, 9, "fail"),
        (results(3, "fail"), [*SECOND, *one_set(1, "none")], 3, "fail"),
        (results(1, "fail"), one_set(0, "none"), 1, "fail"),
    ],
)
@pytest.mark.parametrize("received", [[RECEIVED], []], ids=["received", "bare"])
def test_what_there_is(
    received: list[bytes], top: bytes, below: list[bytes], instance: int, cv: str
) -> None:
    found = begun(b"X-Spam: no", top, *received, *below, b"From: a@example.org")
    assert (found.instance, found.cv, found.message) == (instance, cv, None)
    assert b":".join(found.results[::2]) == top
    assert (found.older is None) == (not below)
    message = b"ARC-Message-Signature: i=%d;\n\tb=QQ==" % instance
    signed = begun(message, b"X: y\n z", top, *received, *below)
    assert signed.message == (b"ARC-Message-Signature", b"", message.partition(b":")[2])


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([], "no ARC-Authentication-Results on top"),
        ([b"From: a"], "no ARC-Authentication-Results on top"),
        ([RECEIVED, results(1, "none")], "no ARC-Authentication-Results on top"),
        ([b"received : x", results(1, "none")], "no ARC-Authentication-Results on top"),
        ([RECEIVED, *one_set(1, "none")[1:]], "no ARC-Authentication-Results on top"),
        (
            [b"ARC-Authentication-Results: mx.example; arc=none"],
            "ARC-Authentication-Results: no instance",
        ),
        ([results(0, "none")], "ARC-Authentication-Results: instance 0"),
        ([results(51, "fail")], "no set may be added to this chain of ARC"),
        ([results(3, "fail"), *one_set(2, "fail")], "no set may be added to this chain of ARC"),
        ([results(2, "pass"), *SECOND], "instance 2 of ARC is there already"),
        ([results(1, "none"), *SECOND], "instance 2 of ARC is there already"),
        ([results(3, "pass"), *one_set(1, "none")], "no instance 2 of ARC"),
        ([results(2, "pass")], "no instance 1 of ARC"),
        (
            [results(2, "pass"), *one_set(1, "pass")],
            "arc=pass, but cv= of instance 1 is not none",
        ),
        (
            [results(1, "none"), *one_set(0, "none")],
            "arc=none, but ARC-Authentication-Results: instance 0",
        ),
        (
            [b"ARC-Authentication-Results: i=1; mx.example; none"],
            "ARC-Authentication-Results without a result of arc",
        ),
        ([b"ARC-Seal: i=1", results(1, "none")], "a set that is sealed already"),
        *[
            (
                [*top, results(1, "none")],
                "an ARC-Message-Signature on top that is of another set",
            )
            for top in (
                [b"ARC-Message-Signature: i=2"],
                [b"ARC-Message-Signature: i"],
                [b"ARC-Message-Signature: i=1"] * 2,
            )
        ],
    ],
)
def test_no_set_of_ours(lines: list[bytes], reason: str) -> None:
    with pytest.raises(Unsignable) as caught:
        begun(*lines)
    assert str(caught.value) == reason


@pytest.mark.parametrize(
    ("text", "cv"),
    [
        ("arc=none", "none"),
        ("spf=pass smtp.mailfrom=a@b ; ARC = None (no chain)", "none"),
        ('dkim=fail reason="x; arc=pass; y" header.d=a; arc=none', "none"),
        ("dkim=fail (; arc=pass; ((;arc=pass)\\))) header.d=a; arc=none", "none"),
        ("x-arc=pass; marc=pass; arc=none header.oldest-pass=0", "none"),
        ('dkim=fail reason="\\"; arc=pass; arc=pass"; arc=none', "none"),
        ("arc=pass; arc=none", "fail"),
        ("arc=nonesuch", "fail"),
        ("arc=none-such; arc=none", "none"),
    ],
)
def test_the_result_of_arc(text: str, cv: str) -> None:
    assert begun(b"ARC-Authentication-Results: i=1; mx.example;\n\t" + text.encode()).cv == cv


@given(st.text(alphabet='arc=pone; \\"()\n\t', max_size=60).map(str.encode) | st.binary())
def test_any_results(text: bytes) -> None:
    with suppress(Unsignable):
        found = begun(b"ARC-Authentication-Results: i=1;" + text.replace(b"\n", b"\n "))
        assert found.cv in ("none", "fail")
