"""The blocks of the README, by the headings that they stand under."""

import re
from typing import NamedTuple

from lab.root.plugin import TREE


class Block(NamedTuple):
    """A fenced block."""

    heading: str
    """The heading above it, without its number signs."""
    kind: str
    """What stands behind the fence: "sh" for commands, "conf" for smtpd.conf, "python", "text"."""
    text: str


def blocks() -> list[Block]:
    """Return all fenced blocks of the README in order."""
    heading, found = "", []
    text = (TREE / "README.md").read_text()
    for part in re.findall(r"^(?:#+ .*|```\w+\n(?:.*\n)*?```)$", text, re.MULTILINE):
        if part.startswith("#"):
            heading = part.lstrip("# ")
        else:
            kind, _, rest = part.removeprefix("```").partition("\n")
            found.append(Block(heading, kind, rest.removesuffix("```")))
    return found
