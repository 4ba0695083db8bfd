"""The XML of a report of ours, literally, and what becomes of hostile texts in it."""

import zlib
from importlib.metadata import version

from hypothesis import given, settings
from hypothesis import strategies as st

from opensmtpd.mail.dmarc.reports.document import Reporter, compressed, document, names
from opensmtpd.mail.dmarc.reports.parser import parse
from opensmtpd.mail.dmarc.reports.record import (
    DISPOSITIONS,
    DKIM,
    REASONS,
    SPF,
    MessageResults,
    OverrideReason,
    SignatureOutcome,
    SpfOutcome,
    checked,
)
from opensmtpd.mail.dmarc.reports.store import DayPolicy
from unit.support.dmarc_messages import DAY, PASSED, POLICY, RUA, SPARED, message

DAY_POLICY = DayPolicy(1, DAY, POLICY, RUA)
REPORTER = Reporter("mx.example.org", "Example & Söhne", "dmarc@example.org", "https://x.example/")

WHOLE = f"""\
<?xml version="1.0" encoding="UTF-8"?>
<feedback xmlns="urn:ietf:params:xml:ns:dmarc-2.0">
  <version>1.0</version>
  <report_metadata>
    <org_name>Example &amp; Söhne</org_name>
    <email>dmarc@example.org</email>
    <extra_contact_info>https://x.example/</extra_contact_info>
    <report_id>2024-10-04_example.com_5bbf009690d3@mx.example.org</report_id>
    <date_range>
      <begin>1728000000</begin>
      <end>1728086399</end>
    </date_range>
    <generator>opensmtpd-plugins {version("opensmtpd-plugins")}</generator>
  </report_metadata>
  <policy_published>
    <domain>example.com</domain>
    <discovery_method>treewalk</discovery_method>
    <p>reject</p>
    <sp>quarantine</sp>
    <np>reject</np>
    <fo>1</fo>
    <adkim>r</adkim>
    <aspf>r</aspf>
    <testing>n</testing>
  </policy_published>
  <record>
    <row>
      <source_ip>192.0.2.1</source_ip>
      <count>3</count>
      <policy_evaluated>
        <disposition>pass</disposition>
        <dkim>pass</dkim>
        <spf>fail</spf>
      </policy_evaluated>
    </row>
    <identifiers>
      <header_from>example.com</header_from>
      <envelope_from>bounces.example.net</envelope_from>
      <envelope_to>example.org</envelope_to>
    </identifiers>
    <auth_results>
      <dkim>
        <domain>example.com</domain>
        <selector>mail</selector>
        <result>pass</result>
      </dkim>
      <dkim>
        <domain>list.example</domain>
        <selector>s1</selector>
        <result>fail</result>
      </dkim>
      <spf>
        <domain>bounces.example.net</domain>
        <scope>mfrom</scope>
        <result>pass</result>
      </spf>
    </auth_results>
  </record>
  <record>
    <row>
      <source_ip>2001:db8::1</source_ip>
      <count>1</count>
      <policy_evaluated>
        <disposition>none</disposition>
        <dkim>fail</dkim>
        <spf>fail</spf>
        <reason>
          <type>trusted_forwarder</type>
          <comment>listed &lt;network&gt; &amp; known</comment>
        </reason>
      </policy_evaluated>
    </row>
    <identifiers>
      <header_from>news.example.com</header_from>
      <envelope_from></envelope_from>
    </identifiers>
    <auth_results>
      <spf>
        <domain>news.example.com</domain>
        <scope>mfrom</scope>
        <result>softfail</result>
      </spf>
    </auth_results>
  </record>
</feedback>
"""


def test_the_document() -> None:
    assert "".join(document(DAY_POLICY, REPORTER, [(3, PASSED), (1, SPARED)])) == WHOLE


def test_tags_that_are_not_published_have_their_defaults() -> None:
    for given_, expected in (
        (POLICY._replace(p="quarantine", sp="", np=""), ("quarantine", "quarantine", "quarantine")),
        (POLICY._replace(p="reject", sp="none", np=""), ("reject", "none", "none")),
    ):
        policy = DAY_POLICY._replace(published=given_)
        read = parse("".join(document(policy, REPORTER, [(1, PASSED)])).encode())
        assert tuple(read.policy[tag] for tag in ("p", "sp", "np")) == expected


def test_the_name_of_the_file() -> None:
    found = names(DAY_POLICY, REPORTER)
    assert found.file == "mx.example.org!example.com!1728000000!1728086399!5bbf009690d3.xml.gz"
    other = DAY_POLICY._replace(published=POLICY._replace(p="none"))
    assert names(other, REPORTER).file != found.file
    assert names(DAY_POLICY._replace(id=7, rua="mailto:x@example.com"), REPORTER) == found


def test_rows_over_the_bound_are_left_out_and_told() -> None:
    rows = [(9, PASSED), (5, SPARED), (1, PASSED), (1, SPARED)]
    text = "".join(document(DAY_POLICY, REPORTER, rows, limit=1700))
    assert text.count("<record>") == 2
    assert "<error>2 rows with low counts are left out</error>" in text
    assert parse(text.encode()).rows == rows[:2]


def test_one_row_is_always_there() -> None:
    assert "".join(document(DAY_POLICY, REPORTER, [(9, PASSED)], limit=1)).count("<record>") == 1


def test_texts_cannot_say_what_was_not_meant() -> None:
    evil = Reporter("mx.example.org", "</org_name>\0\ud800\n<x>", "a@b.example", "]]>&amp;\x85")
    text = "".join(document(DAY_POLICY, evil, [(1, PASSED)]))
    assert "<org_name>&lt;/org_name&gt;???&lt;x&gt;</org_name>" in text
    assert "<extra_contact_info>]]&gt;&amp;amp;?</extra_contact_info>" in text
    assert parse(text.encode()).organization == "</org_name>???<x>"


def test_equal_texts_are_equal_files() -> None:
    data = compressed(["abc", "d" * 1000])
    assert data == compressed(["abc" + "d" * 1000])
    assert data[:10] == b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"
    assert zlib.decompress(data, wbits=31) == b"abc" + b"d" * 1000


domains = st.sampled_from(["example.com", "a.example", "_x.-y.example", "&<>.example", "x" * 255])
words = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=8).map(str.strip)
results = st.builds(
    MessageResults,
    source=st.sampled_from(["192.0.2.1", "2001:db8::1"]),
    disposition=st.sampled_from(sorted(DISPOSITIONS)),
    dkim=st.sampled_from(["pass", "fail"]),
    spf=st.sampled_from(["pass", "fail"]),
    header_from=domains,
    envelope_from=domains | st.just(""),
    envelope_to=domains | st.just(""),
    reasons=st.lists(
        st.builds(OverrideReason, st.sampled_from(sorted(REASONS)), words), max_size=2
    ).map(tuple),
    signatures=st.lists(
        st.builds(SignatureOutcome, domains, words, st.sampled_from(sorted(DKIM))), max_size=3
    ).map(tuple),
    spf_results=st.lists(
        st.builds(SpfOutcome, domains, st.sampled_from(sorted(SPF)), st.just("mfrom")), max_size=1
    ).map(tuple),
)


@given(st.lists(st.tuples(st.integers(1, 1 << 40), results), min_size=1, max_size=3))
@settings(max_examples=50)
def test_what_we_write_is_what_others_read(rows: list[tuple[int, MessageResults]]) -> None:
    read = parse("".join(document(DAY_POLICY, REPORTER, rows)).encode())
    assert read.rows == rows
    assert (read.domain, read.organization, read.email) == (
        "example.com",
        "Example & Söhne",
        "dmarc@example.org",
    )
    assert (read.begin, read.end) == (1728000000, 1728086399)


@given(st.text(), st.text(), st.text())
def test_any_text_of_a_stranger_makes_a_report(one: str, two: str, three: str) -> None:
    sent = message(
        source=one,
        header_from=two,
        envelope_from=three,
        signatures=(SignatureOutcome(one, two, "fail"),),
        reasons=(OverrideReason("other", three),),
        spf_results=(SpfOutcome(two, "none"),),
    )
    text = "".join(document(DAY_POLICY, REPORTER, [(1, checked(sent).results)]))
    assert len(parse(text.encode()).rows) == 1
