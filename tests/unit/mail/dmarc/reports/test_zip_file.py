"""Zip archives: those of zipfile, and those that mean harm."""

import zipfile
import zlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd.errors import RemoteError
from opensmtpd.mail.dmarc.reports.zip_file import files
from unit.support.dmarc_documents import packed_zip


def inflate(data: bytes, wbits: int | None) -> bytes:
    return data if wbits is None else zlib.decompressobj(wbits).decompress(data)


def read(data: bytes) -> list[bytes]:
    return list(files(data, inflate))


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_files(method: int) -> None:
    assert read(packed_zip(b"a" * 1000, b"", b"b", method=method)) == [b"a" * 1000, b"", b"b"]


def test_names_are_not_looked_at() -> None:
    assert read(packed_zip(b"a", name="/../../etc/passwd")) == [b"a"]


def test_folders_are_left_out() -> None:
    assert read(packed_zip(b"", b"a", name="x/").replace(b"1x/", b"1xy")) == [b"a"]


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_formats_are_refused(method: int) -> None:
    with pytest.raises(RemoteError, match="in a format that no report has"):
        read(packed_zip(b"a" * 100, method=method))


def test_an_encrypted_file_is_refused() -> None:
    data = bytearray(packed_zip(b"a"))
    data[data.index(b"PK\1\2") + 8] |= 1
    with pytest.raises(RemoteError, match="in a format that no report has"):
        read(bytes(data))


def test_many_files_are_refused() -> None:
    assert len(read(packed_zip(*[b"a"] * 100))) == 100
    with pytest.raises(RemoteError, match="more than 100 files"):
        read(packed_zip(*[b"a"] * 101))


def test_a_wrong_checksum_is_refused() -> None:
    data = packed_zip(b"aaaa", method=zipfile.ZIP_STORED).replace(b"aaaa", b"aaab")
    with pytest.raises(RemoteError, match="a wrong checksum"):
        read(data)


@pytest.mark.parametrize("cut", [3, 10, 21, 22, 40, 60])
def test_an_archive_that_ends_too_early(cut: int) -> None:
    with pytest.raises(RemoteError):
        read(packed_zip(b"a" * 50)[:-cut])


@given(st.integers(0, 200), st.binary(max_size=8))
def test_a_damaged_archive_is_read_or_a_remote_error(at: int, damage: bytes) -> None:
    data = packed_zip(b"a" * 20, b"b", method=zipfile.ZIP_STORED)
    with suppress(RemoteError):
        read(data[:at] + damage + data[at + len(damage) :])


@given(st.binary().map(lambda rest: b"PK\3\4" + rest + b"PK\5\6" + b"\0" * 18))
def test_any_bytes(data: bytes) -> None:
    assert read(data) == []
