"""What carries reports, archives in one another, and bombs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd.errors import RemoteError
from opensmtpd.mail.dmarc.reports import containers
from opensmtpd.mail.dmarc.reports.containers import documents
from unit.support.dmarc_documents import (
    RFC_7489,
    mail,
    overlapping_zip,
    packed_gzip,
    packed_zip,
)

A, B = b"<feedback>a</feedback>", b"<feedback>b</feedback>"


def found(data: bytes) -> list[bytes | str]:
    """Return documents, and the reasons of errors."""
    return [str(each) if isinstance(each, RemoteError) else each for each in documents(data)]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (A, [A]),
        (b"\xef\xbb\xbf\r\n <feedback/>", [b"\xef\xbb\xbf\r\n <feedback/>"]),
        ("<feedback/>".encode("utf-16"), ["<feedback/>".encode("utf-16")]),
        (packed_gzip(A), [A]),
        (packed_gzip(A) + b"rubbish", [A]),
        (packed_zip(A, B), [A, B]),
        (packed_zip(packed_gzip(A), B), [A, B]),
        (mail(packed_gzip(A), packed_zip(B)), [A, B]),
        (mail(RFC_7489, kind="text/xml"), [RFC_7489]),
        (b"\n" + mail(A), [A]),
    ],
    ids=range(10),
)
def test_documents(data: bytes, expected: list[bytes]) -> None:
    assert found(data) == expected


@pytest.mark.parametrize(
    ("data", "reasons"),
    [
        (b"", ["neither XML nor gzip, zip or a mail"]),
        (b"\xff\xd8\xff\xe0 a picture", ["neither XML nor gzip, zip or a mail"]),
        (b"Subject: hello\n\nno report", ["a mail without a report"]),
        (mail(b"<html>feedback</html><x/>")[:-30], ["a mail without a report"]),
        (packed_gzip(b"text"), ["no XML in the archive"]),
        (packed_gzip(A)[:-9], ["compressed data that ends too early"]),
        (packed_gzip(A)[:10] + b"\7" * 20, ["broken compressed data"]),
        (packed_gzip(packed_gzip(packed_gzip(packed_gzip(A)))), ["archives too deep in one ano"]),
        (packed_zip(A)[:-30], ["a zip file that ends too early"]),
        (mail(packed_gzip(A)[:-9], packed_gzip(B)), ["compressed data that ends too early", B]),
        (packed_zip(b"text", B), ["no XML in the archive", B]),
    ],
    ids=range(11),
)
def test_what_is_broken_is_told_and_the_rest_is_read(
    data: bytes, reasons: list[bytes | str]
) -> None:
    got = found(data)
    assert len(got) == len(reasons)
    for one, other in zip(got, reasons, strict=True):
        assert one == other or (isinstance(one, str) and one.startswith(str(other)))


def test_bombs_are_not_unpacked() -> None:
    bomb = packed_gzip(b"<" + b" " * (60 << 20))
    assert len(bomb) < 100_000
    assert found(bomb) == ["unpacks to more than 50 MB"]
    assert found(mail(bomb)) == ["unpacks to more than 50 MB"]
    assert found(packed_zip(bomb, A)) == ["unpacks to more than 50 MB", A]


def test_all_parts_of_a_file_share_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "UNPACKED_MAX", 5 * len(A))
    told = [*[A] * 5, "unpacks to more than 0 MB"]
    assert found(overlapping_zip(A, 20)) == told
    assert found(packed_zip(*[A] * 9))[:6] == told


@given(st.binary() | st.binary().map(packed_gzip) | st.binary().map(lambda x: b"a:" + x))
def test_any_bytes_are_documents_or_errors(data: bytes) -> None:
    assert found(data)
