"""Pages in Markdown, README.md and those of docs/, as tests read them: their fenced blocks."""

import re
from pathlib import Path
from typing import NamedTuple

from lab.root.plugin import TREE
from lab.shows import manual

DOCS = TREE / "docs"
KINDS = {"sh": "commands", "conf": "conf", "dns": "record", "sql": "sql", "output": "output"}
"""What stands behind the fence, and what it is called as a display of a manual page."""


class Block(NamedTuple):
    """A fenced block."""

    heading: str
    """The heading above it, without its number signs."""
    kind: str
    """What stands behind the fence: "sh" for commands, "conf" for smtpd.conf, "python", "text"."""
    place: str
    """The last absolute path that the paragraph in front names: where it belongs, if anywhere."""
    text: str

    @property
    def display(self) -> manual.Display:
        """The same as a display of a manual page. Raises ValueError for what is none of its kinds.

        A change of smtpd.conf, "diff", is what it comes to. A block of another kind is a file, and
        has a place.
        """
        if self.kind == "diff":
            lines = [line[1:] for line in self.text.splitlines() if not line.startswith("-")]
            return manual.Display("conf", "", "\n".join([*lines, ""]))
        kind = KINDS.get(self.kind, "file" if self.place else "")
        if not kind:
            raise ValueError(f"what is this, below {self.heading!r}: {self.text!r}")
        return manual.Display(kind, self.place, self.text)

    @property
    def commands(self) -> list[str]:
        """Its commands; one goes on in lines that are indented, and in such as close it."""
        return re.findall(r"^\S.*(?:\n(?:[ \t].*|done\b.*|[')}].*|EOF))*", self.text, re.MULTILINE)


def blocks(path: Path) -> list[Block]:
    """Return all fenced blocks of a page, in order."""
    heading, found, end = "", [], 0
    text = path.read_text()
    for part in re.finditer(r"^(?:#+ .*|```\w+\n(?:.*\n)*?```)$", text, re.MULTILINE):
        if part[0].startswith("#"):
            heading = part[0].lstrip("# ")
        else:
            kind, _, rest = part[0].removeprefix("```").partition("\n")
            before = text[end : part.start()].rstrip().rpartition("\n\n")[2]
            paths = re.findall(r"`(/[^`\s]+)`", before)
            place = paths[-1] if paths else ""
            found.append(Block(heading, kind, place, rest.removesuffix("```")))
        end = part.end()
    return found


def headings(path: Path) -> list[str]:
    """Return the headings of the second level, in order."""
    outside = re.sub(r"^```\w+\n(?:.*\n)*?```$", "", path.read_text(), flags=re.MULTILINE)
    return re.findall(r"^## (.*)$", outside, re.MULTILINE)


def assert_shown(shown: str, printed: str) -> None:
    """Assert that the lines that a page shows were printed in this order, perhaps among others.

    White space does not count, and ``...`` stands for anything.
    """
    lines = iter([" ".join(line.split()) for line in printed.splitlines()])
    for line in shown.splitlines():
        pattern = re.escape(" ".join(line.split())).replace(r"\.\.\.", ".*")
        assert any(re.fullmatch(pattern, each) for each in lines), (line, printed)
