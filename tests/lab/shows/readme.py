"""The blocks of the README, by the headings that they stand under."""

import re
from pathlib import Path
from typing import NamedTuple

from lab.root.plugin import TREE


class Block(NamedTuple):
    """A fenced block."""

    heading: str
    """The heading above it, without its number signs."""
    kind: str
    """What stands behind the fence: "sh" for commands, "conf" for smtpd.conf, "python", "text"."""
    text: str


def blocks(path: Path = TREE / "README.md") -> list[Block]:
    """Return all fenced blocks of the README, or of another such file, in order."""
    heading, found = "", []
    text = path.read_text()
    for part in re.findall(r"^(?:#+ .*|```\w+\n(?:.*\n)*?```)$", text, re.MULTILINE):
        if part.startswith("#"):
            heading = part.lstrip("# ")
        else:
            kind, _, rest = part.removeprefix("```").partition("\n")
            found.append(Block(heading, kind, rest.removesuffix("```")))
    return found
