"""The page: whole by itself, without a script, and nothing of a stranger's is markup."""

import re
from html.parser import HTMLParser

from hypothesis import given, settings
from hypothesis import strategies as st

from opensmtpd.mail.dmarc.reports.parser import parse
from opensmtpd_cli.commands.dmarc.page import page
from opensmtpd_cli.commands.dmarc.summary import Summary
from unit.support.dmarc_documents import RFC_7489
from unit.support.dmarc_messages import PASSED, SPARED

TAGS = {
    *("html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "span"),
    *("table", "tr", "th", "td", "svg", "line", "text", "rect"),
}


class Tags(HTMLParser):
    """Collects the tags, their attributes and the text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.texts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def summary(evil: str = "") -> Summary:
    made, report = Summary(), parse(RFC_7489)
    made.add("a.xml", report)
    rows = [
        (5, PASSED._replace(source=evil or "192.0.2.9", header_from=evil)),
        (2, SPARED),
    ]
    made.add("b.xml", report._replace(organization=evil, id=evil, domain=evil, rows=rows))
    made.broken.append((evil or "c.xml", "no XML"))
    return made


def test_the_page_has_all_that_was_read() -> None:
    found = Tags("".join(page(summary(), "2 reports")))
    assert found.tags == TAGS
    for text in ("2 reports", "192.0.2.7", "2001:db8::1", "Big Mail", "1234567890", "c.xml",
                 "no XML", "2024-10-03: 2 failed", "2024-10-03: 5 192.0.2.9"):  # fmt: skip
        assert text in found.texts


def test_it_needs_nothing_and_runs_nothing() -> None:
    text = "".join(page(summary(), ""))
    assert "default-src 'none'" in text
    assert not re.search(r"https?://|src=|href=|url\(|@import", text.replace("default-src", ""))


def test_no_text_is_markup() -> None:
    evil = "\"'><script>alert(1)</script><img onerror=x>&lt;"
    found = Tags("".join(page(summary(evil), evil)))
    assert found.tags == TAGS
    assert evil in found.texts


@given(st.text(alphabet="<>&\"'/=ab ;script-!"))
@settings(max_examples=50)
def test_whatever_the_text_is(evil: str) -> None:
    plain = Tags("".join(page(summary(), "")))
    found = Tags("".join(page(summary(evil), evil)))
    assert found.tags == plain.tags
    assert found.attributes == plain.attributes


def test_an_empty_summary_is_a_page() -> None:
    assert "</html>" in "".join(page(Summary(), "0 reports"))
