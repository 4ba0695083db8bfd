"""The parts of mails: what others write, and what means harm."""

import email.message
import email.policy
import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd.errors import RemoteError
from opensmtpd.mail.dmarc.reports.attachments import parts


def test_a_mail_of_one_part() -> None:
    assert list(parts(b"Subject: x\nContent-Type: text/xml\n\n<a/>\n")) == [b"<a/>\n"]
    assert list(parts(b"CONTENT-TRANSFER-encoding :\r\n BASE64 \r\n\r\nPGEv\r\nPg==\r\n")) == [
        b"<a/>"
    ]
    assert list(parts(b"Content-Transfer-Encoding: quoted-printable\n\n=3Ca/=\n>")) == [b"<a/>"]
    assert list(parts(b"Subject: x")) == [b""]


def test_what_the_standard_library_writes() -> None:
    message = email.message.EmailMessage()
    message["Subject"] = "Report Domain: example.com"
    message.set_content("Hello")
    message.add_alternative("<p>Hello</p>", subtype="html")
    message.add_attachment(b"\x1f\x8b12", maintype="application", subtype="gzip", filename="a.gz")
    for policy in (email.policy.default, email.policy.SMTP):
        found = [each.strip() for each in parts(message.as_bytes(policy=policy))]
        assert found == [b"Hello", b"<p>Hello</p>", b"\x1f\x8b12"]


def test_a_mail_in_a_mail() -> None:
    outer = b"Content-Type: message/rfc822\n\nContent-Type: text/xml\n\n<a/>"
    assert list(parts(outer)) == [b"<a/>"]


def test_a_boundary_that_begins_as_another() -> None:
    mail = (
        b'Content-Type: multipart/mixed; x=y; boundary="ab"\n\n--ab\n'
        b"Content-Type: multipart/mixed; boundary=abc\n\n--abc\n\none\n--abc  \n\ntwo\n--abc--\n"
        b"--ab\n\nthree\n--ab--\n--ab\n\nfour\n"
    )
    assert [each.strip() for each in parts(mail)] == [b"one", b"two", b"three"]


def test_a_mail_that_ends_too_early() -> None:
    mail = b"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/xml\n\n<a"
    assert list(parts(mail)) == [b"<a"]
    with pytest.raises(RemoteError, match="broken base64"):
        list(parts(b"Content-Transfer-Encoding: base64\n\nPGE"))


def nested(depth: int) -> bytes:
    inner = b"\n<a/>"
    for number in range(depth):
        inner = b"Content-Type: multipart/x; boundary=b%d\n\n--b%d\n%s" % (number, number, inner)
    return inner


def test_depth_and_parts_and_headers_are_bounded() -> None:
    assert list(parts(nested(8))) == [b"<a/>"]
    with pytest.raises(RemoteError, match="too deep"):
        list(parts(nested(9)))
    with pytest.raises(RemoteError, match="too deep"):
        list(parts(b"Content-Type: message/rfc822\n\n" * 5000))
    many = b"Content-Type: multipart/x; boundary=b\n\n" + b"--b\n\nx\n" * 101
    assert len(list(parts(many[:-8]))) == 100
    with pytest.raises(RemoteError, match="more than 100 parts"):
        list(parts(many))
    with pytest.raises(RemoteError, match="a header that has no end"):
        list(parts(b"Subject: x\n" + b" y\n" * 100_000 + b"\nbody"))


@pytest.mark.parametrize(
    "mail",
    [
        b"Content-Type: multipart/x" + b";" * 120_000 + b"\n\n",
        b"Content-Type: multipart/x;" + b" " * 120_000 + b"\n\n",
        b"Content-Type: multipart/x;" + b" boundary" * 12_000 + b"\n\n",
        b"Content-Type: multipart/x; boundary=" + b'"' * 120_000 + b"\n\n",
        b"Content-Type" + b" " * 120_000 + b"\n\n",
        b"Content-Type: multipart/x; boundary=b\n\n" + b"--b " + b" " * 3_000_000,
        b"Content-Type: multipart/x; boundary=b\n\n" + b"--b \t-" * 500_000,
        b"\r" * 4_000_000,
        b"x: y\n\n" + b"\n" * 4_000_000,
    ],
    ids=range(9),
)
def test_the_work_is_linear(mail: bytes) -> None:
    begin = time.process_time()
    with suppress(RemoteError):
        list(parts(mail))
    assert time.process_time() - begin < 5


@given(
    st.lists(
        st.sampled_from(
            [b"Content-Type: multipart/x; boundary=b\n", b"\n", b"--b\n", b"--b--\n", b"text\r\n",
             b"Content-Type: message/rfc822\n", b"Content-Transfer-Encoding: base64\n", b"\xff="]
        )
    ).map(b"".join)
)  # fmt: skip
def test_any_mail_has_parts_or_is_a_remote_error(mail: bytes) -> None:
    with suppress(RemoteError):
        assert sum(map(len, parts(mail))) <= len(mail)
