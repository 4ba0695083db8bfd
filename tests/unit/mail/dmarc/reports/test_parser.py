"""Reports of others: both forms, and documents that mean harm."""

import time
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd.errors import RemoteError
from opensmtpd.mail.dmarc.reports import parser as parser_module
from opensmtpd.mail.dmarc.reports.parser import parse
from opensmtpd.mail.dmarc.reports.record import (
    MessageResults,
    OverrideReason,
    SignatureOutcome,
    SpfOutcome,
)
from unit.support.dmarc_documents import LAUGHS, RFC_7489


def wrapped(records: bytes, head: bytes = b"", root: bytes = b"feedback") -> bytes:
    return (
        b"<" + root + b"><report_metadata><date_range><begin>1</begin><end>2</end></date_range>"
        b"</report_metadata>" + head + records + b"</" + root.partition(b" ")[0] + b">"
    )


RECORD = b"<record><row><source_ip>192.0.2.1</source_ip><count>1</count></row></record>"


def test_a_report_of_rfc_7489() -> None:
    found = parse(RFC_7489)
    assert found[:6] == (
        "Big Mail", "noreply@big.example", "1234567890", 1727913600, 1727999999, "example.com"
    )  # fmt: skip
    assert found.policy == {"p": "none", "sp": "reject", "adkim": "r", "aspf": "r", "pct": "100"}
    results = MessageResults(
        "192.0.2.7",
        "none",
        "fail",
        "pass",
        "example.com",
        reasons=(OverrideReason("local_policy", "arc=pass"), OverrideReason("sampled_out")),
        signatures=(
            SignatureOutcome("example.net", "s", "pass"),
            SignatureOutcome("example.com", "", "fail"),
        ),
        spf_results=(
            SpfOutcome("mail.example.com", "none", "helo"),
            SpfOutcome("example.com", "pass"),
        ),
    )
    assert found.rows == [(12, results)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "iso-8859-1"])
def test_encodings(encoding: str) -> None:
    declared = encoding.removesuffix("-sig")
    text = (
        wrapped(RECORD, b"")
        .decode()
        .replace("<date_range>", "<org_name>B\xfccher</org_name><date_range>")
    )
    data = f'<?xml version="1.0" encoding="{declared}"?>{text}'.encode(encoding)
    assert parse(data).organization == "B\xfccher"


@pytest.mark.parametrize(
    "root", [b'feedback xmlns="urn:ietf:params:xml:ns:dmarc-2.0"', b'd:feedback xmlns:d="x"']
)
def test_namespaces(root: bytes) -> None:
    data = wrapped(RECORD, root=root)
    if root.startswith(b"d:"):
        data = data.replace(b"<", b"<d:").replace(b"<d:/", b"</d:").replace(b"d:d:", b"d:")
    assert parse(data).rows[0][1].source == "192.0.2.1"


def test_extensions_are_skipped() -> None:
    data = wrapped(
        RECORD.replace(
            b"</row>",
            b"<e:source_ip>no</e:source_ip><count><e:x>5</e:x></count></row>"
            b"<e:arc-results><count>9</count><row><count>8</count></row></e:arc-results>",
        ),
        b"<extension><e:record><count>7</count></e:record></extension>",
        b'feedback xmlns:e="urn:e"',
    )
    (row,) = parse(data).rows
    assert (row[0], row[1].source) == (1, "192.0.2.1")


def test_texts_are_made_printable_and_bounded() -> None:
    record = RECORD.replace(b"192.0.2.1", b"x" * 400).replace(
        b"</row>",
        b"<policy_evaluated><disposition>&#x200b;[31mNONE</disposition></policy_evaluated></row>",
    )
    data = wrapped(record).replace(
        b"<date_range>", b"<org_name>a&#x202e;b\nc" + b"d" * 5000 + b"</org_name><date_range>"
    )
    found = parse(data)
    assert found.organization == "a?b?c" + "d" * 995
    assert found.rows[0][1][:2] == ("x" * 255, "?[31mnone")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (LAUGHS, "a document type, which no report has"),
        (b'<!DOCTYPE feedback SYSTEM "file:///etc/passwd"><feedback/>', "a document type"),
        (b"<!DOCTYPE feedback><feedback/>", "a document type, which no report has"),
        (b"<feedback>&b;</feedback>", "no XML: undefined entity in line 1"),
        (b"", "no XML: no element found in line 1"),
        (b"<html/>", "no report: its root is html"),
        (b"<feedback>", "no XML: no element found in line 1"),
        (wrapped(b"<record>")[:-5], "no XML: "),
        (RFC_7489[: len(RFC_7489) // 2], "no XML: "),
        (wrapped(b"\xff\xfe"), "no XML: not well-formed (invalid token) in line 1"),
        (wrapped(b"\0"), "no XML: "),
        (b'<?xml version="1.0" encoding="utf-7"?><feedback/>', "in an encoding that is not known"),
        (b'<?xml version="1.0" encoding="nothing"?><feedback/>', "in an encoding that is not kno"),
        (b'<?xml version="1.0" encoding="zip"?><feedback/>', "in an encoding that is not known"),
        (b"<x:feedback/>", "no XML: unbound prefix in line 1"),
        (wrapped(b"<a>" * 40 + b"</a>" * 40), "elements deeper than 32"),
        (wrapped(RECORD.replace(b">1<", b">one<")), "count is no number: 'one'"),
        (wrapped(RECORD.replace(b">1<", b">-1<")), "count is no number: '-1'"),
        (wrapped(RECORD.replace(b">1<", b">" + b"9" * 5000 + b"<")), "count is no number"),
        (wrapped(RECORD.replace(b">1<", b">9999999999999<")), "count is no number"),
        (wrapped("<record><row><count>\u0663</count></row></record>".encode()), "count is no num"),
        (wrapped(RECORD).replace(b"<begin>1", b"<begin>99999999999"), "begin is no number"),
        (wrapped(RECORD).replace(b"<end>2", b"<end>"), "end is no number: ''"),
        (b"<feedback/>", "begin is no number: ''"),
        (wrapped(b"x" * 70_000), "a tag or a text that is too long"),
        (wrapped(b"<a " + b"b='c' " * 12_000 + b"/>"), "a tag or a text that is too long"),
        (b"<feedback" + b"".join(b" a%d='1'" % each for each in range(3000)) + b">", "more elem"),
        (wrapped(b"".join(b"<a%d/>" % each for each in range(1200))), "more elements than a rep"),
    ],
)
def test_what_is_no_report(data: bytes, reason: str) -> None:
    with pytest.raises(RemoteError) as error:
        parse(data)
    assert reason in str(error.value)
    assert str(error.value).isprintable()


def test_rows_and_elements_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parser_module, "ROWS_MAX", 3)
    assert len(parse(wrapped(RECORD * 3)).rows) == 3
    with pytest.raises(RemoteError, match="more than 3 rows"):
        parse(wrapped(RECORD * 4))
    monkeypatch.setattr(parser_module, "ELEMENTS_MAX", 10)
    with pytest.raises(RemoteError, match="more elements than a report has"):
        parse(wrapped(RECORD * 3))


def test_lists_of_a_record_are_bounded() -> None:
    dkim = b"".join(
        b"<dkim><domain>%d.example</domain><result>pass</result></dkim>" % each
        for each in range(150)
    )
    spf = b"<spf><domain>a.example</domain><result>pass</result></spf>" * 20
    reasons = b"<policy_evaluated>" + b"<reason><type>other</type></reason>" * 20
    record = RECORD.replace(b"</row>", reasons + b"</policy_evaluated></row>").replace(
        b"</record>", b"<auth_results>" + dkim + spf + b"</auth_results></record>"
    )
    ((_, results),) = parse(wrapped(record)).rows
    assert [len(results.signatures), len(results.spf_results), len(results.reasons)] == [
        100,
        10,
        10,
    ]
    assert results.signatures[99].domain == "99.example"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(wrapped(b"<a/>" * 200_000), id="elements"),
        pytest.param(wrapped(b"<record/>" * 200_000), id="records"),
        pytest.param(wrapped(b"&lt;" * 1_000_000), id="a text of references"),
        pytest.param(wrapped(b"<!-->" * 400_000), id="comments"),
        pytest.param(wrapped(b"<![CDATA[>]]>" * 200_000), id="sections"),
        pytest.param(b">" * 4_000_000, id="ends"),
        pytest.param(b"<" * 4_000_000, id="begins"),
    ],
)
def test_the_work_is_linear(data: bytes) -> None:
    """1 to 4 MB, each less than 1 second of CPU here."""
    begin = time.process_time()
    with suppress(RemoteError):
        parse(data)
    assert time.process_time() - begin < 10


@given(st.binary() | st.text(alphabet="<>/&;!feedback record?'\"=[]").map(str.encode))
def test_any_bytes_are_a_report_or_a_remote_error(data: bytes) -> None:
    with suppress(RemoteError):
        parse(data)


@given(st.data())
def test_a_report_that_was_damaged_is_a_report_or_a_remote_error(data: Any) -> None:
    at = data.draw(st.integers(0, len(RFC_7489)))
    end = data.draw(st.integers(at, min(len(RFC_7489), at + 40)))
    with suppress(RemoteError):
        parse(RFC_7489[:at] + data.draw(st.binary(max_size=6)) + RFC_7489[end:])
