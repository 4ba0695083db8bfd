"""The fields that tell where a user sits."""

import pytest

from opensmtpd.mail.headers.privacy import TELLING, hide, own_received
from unit.support.ruled_mail import OWN, opened

KEPT = b"From: a@example.com\nMessage-ID: <1@laptop.example>\nX-Spam-Score: 1\n"
CUT = b"Received: by example.com (OpenSMTPD) with ESMTP id 1;\n\tdate\n"


def hidden(header: bytes) -> bytes:
    message, edits = opened(header)
    hide(message, own_received(message))
    return edits.header()


def test_each_field_that_tells() -> None:
    told = b"".join(b"%b: 1\n folded\n" % name.title() for name in sorted(TELLING))
    assert hidden(OWN + told + KEPT) == CUT + KEPT
    assert hidden(OWN + KEPT + told.upper()) == CUT + KEPT


@pytest.mark.parametrize(
    ("value", "left"),
    [
        (b" 1.0 (Mac OS X Mail 16.0 \\(3731.700.6\\))", b" 1.0"),
        (b" 1.0\n\t(Laptop)", b" 1.0"),
        (b"1.0(Laptop)", b" 1.0"),
        (b" 1.0", b" 1.0"),
        (b" (x) 1.0", b" (x) 1.0"),
        (b" 2.0 (x)", b" 2.0 (x)"),
    ],
)
def test_the_program_in_the_version_of_mime(value: bytes, left: bytes) -> None:
    assert hidden(OWN + b"MIME-Version:" + value + b"\n") == CUT + b"MIME-Version:" + left + b"\n"


def test_nothing_to_hide() -> None:
    assert hidden(CUT + KEPT) == CUT + KEPT
    assert hidden(KEPT) == KEPT
    assert hidden(b"") == b""


def test_it_says_which_field_is_smtpds() -> None:
    message, edits = opened(OWN + b"Received: from c\n\tby d\n" + KEPT)
    own = hide(message, own_received(message))
    assert own is message.fields[0]
    assert hide(message, own) is own
    assert edits.header() == CUT + KEPT


def test_the_first_is_smtpds_where_another_filter_has_put_fields_above() -> None:
    assert hidden(b"X-Spam: Yes\n" + OWN + b"Received: x\n") == b"X-Spam: Yes\n" + CUT


@pytest.mark.parametrize(
    ("own", "cut"),
    [
        # 7.6 and 7.9, with and without mask-src; 6.8 breaks its lines elsewhere
        (b"from a (b [c])\n\tby d with ESMTP", b"by d with ESMTP"),
        (b"from a (b [c])\n        by d\n\tfor e", b"by d\n\tfor e"),
        (b"by d with ESMTP\n\tfor e", b"by d with ESMTP\n\tfor e"),
        # fields that are not as smtpd writes them stay
        (b"from a by d", b"from a by d"),
        (b"from a\n\tbyte d", b"from a\n\tbyte d"),
        (b"from a", b"from a"),
        (b"", b""),
        (b"\n\tfrom a\n\tby d", b"\n\tfrom a\n\tby d"),
        # a client's header that begins with a blank continues it
        (b"from a\n\tby d;\n\te\n\tx\ry\r", b"by d;\n\te\n\txy"),
        (b"from a\n\tby d;\n\te\n\t\r", b"by d;\n\te\n\t"),
        (b"from a\r\n\tby d", b"by d"),
        (b"from a\n\tby \0", b"by "),
    ],
)
def test_forms_of_the_field(own: bytes, cut: bytes) -> None:
    field = b"Received:%b%b\n"
    blank = b"" if own[:1] in b"\n" else b" "
    assert hidden(field % (blank, own)) == field % (blank, cut)
