"""Words of administrators, read."""

import pytest

from opensmtpd.errors import ConfigError
from opensmtpd.mail.dkim.sign.style import NAMES, Style, canonicalization, field_names, oversigned


def test_the_default_list_is_that_of_the_c_filter_and_list_unsubscribe_post() -> None:
    assert NAMES == (
        "from:reply-to:subject:date:to:cc:resent-date:resent-from:resent-to:resent-cc:in-reply-to"
        ":references:list-id:list-help:list-unsubscribe:list-unsubscribe-post:list-subscribe"
        ":list-post:list-owner:list-archive"
    )
    assert Style().names == field_names(NAMES)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("simple", ("simple", "simple")),
        ("relaxed", ("relaxed", "simple")),
        ("simple/relaxed", ("simple", "relaxed")),
        ("relaxed/relaxed", ("relaxed", "relaxed")),
    ],
)
def test_canonicalization(text: str, expected: tuple[str, str]) -> None:
    assert canonicalization(text) == expected


@pytest.mark.parametrize(
    "text", ["", "/", "relaxed/", "/simple", "Simple", "simplex", "simple/relaxed/"]
)
def test_no_canonicalization(text: str) -> None:
    with pytest.raises(ConfigError, match="unknown canonicalization"):
        canonicalization(text)


def test_field_names() -> None:
    assert field_names("From:SUBJECT:x+y!:from") == (b"from", b"subject", b"x+y!")


def test_bcc_is_left_out() -> None:
    assert field_names("from:Bcc:to") == (b"from", b"to")


@pytest.mark.parametrize(
    "text", ["", ":", "from:", ":from", "from::to", "from: to", "from;to", "from:\u00fc"]
)
def test_no_field_names(text: str) -> None:
    with pytest.raises(ConfigError, match="no name of a header field"):
        field_names(text)


def test_from_must_be_covered() -> None:
    with pytest.raises(ConfigError, match=r"From must be covered \(RFC 6376 section 5\.4\)"):
        field_names("subject:to")


def test_oversigned_by_default() -> None:
    """Neither what smtpd may add (Date), nor what lists and resenders add rightly."""
    assert oversigned(None) == (
        b"from", b"reply-to", b"subject", b"to", b"cc", b"in-reply-to", b"references",
    )  # fmt: skip


def test_oversigned_as_asked_for() -> None:
    names = field_names("from:date:list-id:message-id:resent-to")
    assert oversigned(names) == (b"from", b"list-id", b"resent-to")


@pytest.mark.parametrize(
    "name",
    [b"dkim-signature", b"received", b"return-path", b"delivered-to", b"received-spf", b"x-spam",
     b"x-spam-status", b"authentication-results", b"arc-seal", b"arc-message-signature"],
)  # fmt: skip
def test_what_mail_systems_add_is_not_oversigned(name: bytes) -> None:
    names = field_names(f"from:{name.decode()}:to")
    assert names == (b"from", name, b"to")
    assert oversigned(names) == (b"from", b"to")


def test_names_that_only_look_alike_are_oversigned() -> None:
    names = field_names("from:x-received:search:dkim-signature2")
    assert oversigned(names) == names
