"""The directive ``mdoc``: a manual page of packaging/man, made HTML by mandoc(1).

mandoc's HTML goes into the page as it is; its sections become those of the page, so that they are
in its table of contents. References to other pages of ours lead to their pages here, all others to
those of OpenBSD.
"""

import re
import shutil
import subprocess
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

PAGES = Path(__file__).parents[1] / "packaging/man"
ELSEWHERE = "https://man.openbsd.org/"
SECTION = re.compile(
    r'<section class="(S[hs])">\n<h\d class="S[hs]" id="([^"]*)"><a [^>]*>([^<]*)</a></h\d>\n'
)
REFERENCE = re.compile(r'href="page:([^"]*)"')


class Mdoc(SphinxDirective):
    """Insert a manual page; its argument is the name of the file, ``filter-auth.8`` say."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the page's sections. Raises ExtensionError where there is no mandoc."""
        page = PAGES / self.arguments[0]
        self.env.note_dependency(str(page))
        # Before the first section stands the head of the page, which says its name only.
        _, *parts = SECTION.split(html(page).replace("</section>\n", ""))
        found: list[nodes.Node] = []
        for kind, name, title, body in zip(*(iter(parts),) * 4, strict=True):
            section = nodes.section("", nodes.title("", " ".join(title.split())), ids=[name])
            section += nodes.raw("", body, format="html")
            if kind == "Sh":
                found.append(section)
            else:
                found[-1] += section
        return found


def html(page: Path) -> str:
    """Return mandoc's HTML of a manual page, with its references led to where they are."""
    if shutil.which("mandoc") is None:
        raise ExtensionError("the manual pages need mandoc(1): `make packages` installs it")
    command = ["mandoc", "-T", "html", "-O", "fragment,man=page:%N.%S", str(page)]
    made = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    # The last tag closes the page's own, which stands in its head.
    body = made.partition(FOOT)[0].removesuffix("</div>\n")
    return REFERENCE.sub(lambda found: f'href="{target(found[1])}"', body)


FOOT = '<table class="foot">'
"""The lines that mandoc ends a page with: date and system."""


def target(name: str) -> str:
    """Return where the manual page ``name``, ``smtpd.8`` say, is to be found."""
    page = PAGES / name
    # filter-fcrdns.8 is a link to the page of filter-rdns.
    return f"{page.resolve().name}.html" if page.exists() else f"{ELSEWHERE}{name}"


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the directive."""
    app.add_directive("mdoc", Mdoc)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
