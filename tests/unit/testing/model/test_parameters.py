"""ESMTP parameters: those that smtpd takes, and its words where it does not."""

import pytest

from opensmtpd.testing.model.parameters import mail_refusal, rcpt_refusal
from opensmtpd.testing.model.registry import RELEASES

NEW, OLDEST = RELEASES["7.9.0"], RELEASES["6.8.0"]
NEVER = b"553 NOTIFY option NEVER cannot be combined with other options"
ORCPT = b"553 ORCPT address syntax error"
ARGUMENTS = b"503 5.5.4 Invalid command arguments: "


@pytest.mark.parametrize(
    "text",
    [b"", b"SIZE=1", b"size=", b"BODY=7BIT body=8bitmime", b"AUTH=<>", b"RET=HDRS", b"RET=x"],
)
def test_parameters_of_mail_from(text: bytes) -> None:
    assert mail_refusal(text.split()) is None


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        (b"SMTPUTF8", b"SMTPUTF8"),
        (b"SIZE", b"SIZE"),
        (b"BODY=BINARYMIME", b"BODY=BINARYMIME"),
        (b"BODY=7BITS", b"BODY=7BITS"),
        (b"SIZE=1 FOO=bar BAZ", b"FOO=bar"),
        (b"NOTIFY=NEVER", b"NOTIFY=NEVER"),
    ],
)
def test_unknown_parameters_of_mail_from(text: bytes, refused: bytes) -> None:
    assert mail_refusal(text.split()) == ARGUMENTS + b"Unsupported option " + refused


def test_the_length_of_envid() -> None:
    assert mail_refusal([b"ENVID=" + b"x" * 100]) is None
    refusal = ARGUMENTS + b"option too large, truncated: " + b"x" * 101
    assert mail_refusal([b"envid=" + b"x" * 101]) == refusal


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        (b"", None),
        (b"NOTIFY=NEVER", None),
        (b"notify=success,Failure,DELAY", None),
        (b"NOTIFY=", None),
        (b"NOTIFY=x", None),
        (b"NOTIFY=NEVER,DELAY", NEVER),
        (b"NOTIFY=NEVER NOTIFY=SUCCESS", NEVER),
        (b"ORCPT=rfc822;a@b", None),
        (b"ORCPT=;", None),
        (b"ORCPT=rfc822;a+40b", None),
        (b"ORCPT=a@b", ORCPT),
        (b"ORCPT=", ORCPT),
        (b"ORCPT=rfc822;a+4", ORCPT),
        (b"ORCPT=rfc822;a+aa", ORCPT),
        (b"ORCPT=rfc822;a=b", ORCPT),
        (b"ORCPT=x;\xfc", ORCPT),
        (b"ORCPT=rfc822;" + b"x" * 493, None),
        (b"ORCPT=rfc822;" + b"x" * 494, ORCPT),
        (b"SIZE=1", b"503 Unsupported option SIZE=1"),
        (b"ORCPT", b"503 Unsupported option ORCPT"),
    ],
)
def test_parameters_of_rcpt_to(text: bytes, refusal: bytes | None) -> None:
    assert rcpt_refusal(text.split(), set(), NEW) == refusal


def test_notify_lasts_for_the_transaction() -> None:
    notify: set[bytes] = set()
    assert rcpt_refusal([b"NOTIFY=SUCCESS"], notify, NEW) is None
    assert rcpt_refusal([], notify, NEW) is None
    assert rcpt_refusal([b"NOTIFY=NEVER"], notify, NEW) == NEVER
    assert rcpt_refusal([b"NOTIFY=DELAY"], notify, NEW) == NEVER


@pytest.mark.parametrize(
    ("value", "refusal"),
    [
        (b"rfc822;a@b", None),
        (b"RFC822;a", None),
        (b"a@b", None),
        (b"x;a@b", ORCPT),
        (b"a@-b", ORCPT),
        (b"@b", ORCPT),
        (b"", ORCPT),
    ],
)
def test_orcpt_before_7_5_is_an_address(value: bytes, refusal: bytes | None) -> None:
    assert rcpt_refusal([b"ORCPT=" + value], set(), OLDEST) == refusal
