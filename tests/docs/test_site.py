"""The pages of docs/ become a site without a warning, and each link in it leads to something."""

import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest

from lab.root.plugin import TREE
from lab.shows import manual, markdown

NO_MANDOC = shutil.which("mandoc") is None
pytestmark = pytest.mark.skipif(
    NO_MANDOC and not os.environ.get("CI"), reason="mandoc is not installed"
)
NESTED = ("article", "dd", "div", "dl", "section", "table", "ul")
OUTSIDE = ("https://", "http://", "mailto:")
PAGES = [path.name for path in TREE.glob("*.md") if path.name != "CHANGELOG.md"]
"""Pages in Markdown beside the site, whose links are those of a forge."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as ``make docs`` does it."""
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going"]
    done = subprocess.run(
        [*command, "-d", out / "doctrees", markdown.DOCS, out / "html"],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return out / "html"


class Page(HTMLParser):
    """The links of a page, and the places in it that links can lead to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.places: set[str] = {""}
        self.open: list[str] = []
        self.crossed: list[str] = []
        """Tags that are closed while another one is open."""
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take the link or the place that a tag has."""
        found = dict(attrs)
        self.places |= {found.get("id") or "", found.get("name") or ""}
        if tag == "a" and found.get("href"):
            self.links.append(found["href"] or "")
        if tag in NESTED:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """See that it closes the last tag that is open."""
        if tag in NESTED and self.open.pop() != tag:
            self.crossed.append(tag)


def test_each_link_leads_to_something(site: Path) -> None:
    pages = {path.resolve(): Page(path) for path in site.rglob("*.html")}
    wrong = []
    for path, page in pages.items():
        for link in page.links:
            if link.startswith(OUTSIDE):
                continue
            name, place = urldefrag(link)
            to = (path.parent / unquote(name)).resolve() if name else path
            known = to in pages and unquote(place) in pages[to].places
            if not known and not (to.is_file() and not place):
                wrong.append((path.name, link))
    assert len(pages) > 25
    assert wrong == []


def test_the_site_has_each_manual_page_and_each_section_of_it(site: Path) -> None:
    for name in manual.pages():
        page = Page(site / f"man/{name}.html")
        titles = manual.sections((manual.PAGES / name).read_text())
        assert {title.replace(" ", "_") for title in titles} <= page.places
        assert (page.crossed, page.open) == ([], [])
    text = (site / "man/filter-rdns.8.html").read_text()
    assert 'href="filter-dnsbl.8.html"' in text
    assert 'href="https://man.openbsd.org/smtpd.conf.5"' in text


def test_the_site_has_the_public_names(site: Path) -> None:
    filter = Page(site / "api/filter.html")
    assert {f"opensmtpd.filter.{name}" for name in ("Filter", "Reject", "HeldMessage")} <= (
        filter.places
    )
    assert "Alias for field number" not in (site / "api/filter.html").read_text()
    assert "opensmtpd.errors.ConfigError" in Page(site / "api/answer.html").places


@pytest.mark.parametrize("name", PAGES)
def test_links_of_pages_outside_of_it_lead_to_something(name: str) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", (TREE / name).read_text())
    inside = [urldefrag(link)[0] for link in links if not link.startswith(OUTSIDE)]
    assert [link for link in inside if not (TREE / link).exists()] == []
