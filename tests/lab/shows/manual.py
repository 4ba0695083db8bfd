"""The manual pages as tests read them: their sections, and what their EXAMPLES display."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from lab.root.plugin import TREE

PAGES = TREE / "packaging" / "man"
CONFIGURATION = re.compile(r"(?:filter|listen|table|action|match|pki) ")


class Display(NamedTuple):
    """What stands between ``.Bd -literal`` and ``.Ed``, as one reads it."""

    kind: str
    """"commands", "conf" for lines of smtpd.conf, "file", "python", "sql" or "record"."""
    place: str
    """The last path that the sentence in front of it names: where it belongs, if anywhere."""
    text: str

    @property
    def commands(self) -> list[str]:
        """Its commands, each with its continuation lines."""
        return [line[2:] for line in logical_lines(self.text)]


def pages() -> list[str]:
    """Return the names of the pages, each text once: ``filter-fcrdns.8`` is a link."""
    return sorted(page.name for page in PAGES.iterdir() if not page.is_symlink())


def sections(text: str) -> dict[str, str]:
    """Return the source of each section of a page by its title."""
    parts = re.split(r'^\.Sh "?(.*?)"?\n', text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def displays(source: str) -> list[Display]:
    """Return the displays in a section's source. Raises ValueError for what is none of the kinds.

    So nothing can be shown that no test looks at.
    """
    found, end = [], 0
    for match in re.finditer(r"^\.Bd -literal.*\n((?:.*\n)*?)\.Ed\n", source, re.MULTILINE):
        before = source[end : match.start()].rpartition(".Pp\n")[2]
        paths = re.findall(r"^\.Pa (\S+)", before, re.MULTILINE)
        text = match[1].replace("\\e", "\\").replace("\\&", "")
        place = paths[-1] if paths else ""
        found.append(Display(_kind(text, place, before), place, text))
        end = match.end()
    return found


def _kind(text: str, place: str, before: str) -> str:
    if all(line.startswith(("# ", "$ ")) for line in logical_lines(text)):
        return "commands"
    if text.startswith(("#!/usr/bin/python3\n", '"""', "from ")):
        return "python"
    if text.startswith("CREATE "):
        return "sql"
    if re.match(r"\S+ IN TXT ", text):
        return "record"
    if CONFIGURATION.match(text):
        return "conf"
    if place:
        return "file"
    raise ValueError(f"what is this, behind {before!r}: {text!r}")


def logical_lines(text: str) -> Iterator[str]:
    """Yield the lines that are not empty, each with those that a backslash joins to it."""
    for line in re.findall(r"(?:.*\\\n)*.+\n", text):
        yield line.removesuffix("\n")


def subsections(source: str) -> dict[str, str]:
    """Return the source of each subsection of a section by its title."""
    parts = re.split(r"^\.Ss (.*)\n", source, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def items(source: str) -> dict[str, str]:
    """Return the items of a source's lists: what stands behind ``.It``, and what follows."""
    parts = re.split(r"^\.It (.*)\n", source, flags=re.MULTILINE)
    return {
        head: body.partition("\n.El\n")[0]
        for head, body in zip(parts[1::2], parts[2::2], strict=True)
    }
