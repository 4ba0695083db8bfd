"""filter-senderscore beside the original in Go (0.1.1), on one smtpd with the same flags: the same
replies, and the same messages.

Where the two differ is in test_differences.py.
"""

import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import pytest

from integration.support.dns_scenes import BUILTIN_RDNS, Chains, listen, ours, port
from integration.support.senderscore_scenes import (
    BAD,
    BEST,
    BLOCKED,
    BROKEN,
    DOUBTFUL,
    FAIR,
    NEW,
    ODD,
    OLD,
    PLAIN,
    POOR,
    PROGRAM,
    SCORES,
    SIX,
    TLS,
    WORST,
    Said,
    scored,
    talk,
)
from lab.root.plugin import ORIGINAL
from lab.shows import moves
from lab.shows.guide import Guide
from lab.support import Lab, Setup

BOTH = "-blockBelow 10 -junkBelow 70 -scoreHeader"
PHASES = ("connect", "helo", "ehlo", "starttls", "auth", "mail-from", "rcpt-to", "quit")
BEHIND = "behind junk"
"""Behind a filter that junks clients without a name, of which are WORST and BEST."""
LINES = {
    "": "",
    "header": "-scoreHeader",
    "junk": "-junkBelow=70",
    "junk nobody": "--junkBelow -1 --blockBelow 0",
    BEHIND: f"{BOTH} -blockPhase quit",
    "slow": "-slowFactor 100 -scoreHeader",
    **{phase: f"{BOTH} -blockPhase {phase}" for phase in PHASES},
}
CHAINS: Chains = {
    f"{side} {title}": (*[BUILTIN_RDNS] * (title == BEHIND), ours(program, line))
    for title, line in LINES.items()
    for side, program in (("ours", PROGRAM), ("go", PROGRAM + ORIGINAL))
}
SOURCES = (WORST, BAD, POOR, DOUBTFUL, FAIR, BEST, NEW, BROKEN, SIX)
SESSIONS = {"plain": PLAIN, "old": OLD, "odd": ODD, "TLS": TLS}


def prepare(guide: Guide) -> None:
    """Have a listener for each line and filter."""
    listen(guide, CHAINS)


pytestmark = pytest.mark.parametrize(
    "running", [Setup("7.6", "senderscore-sides", prepare)], indirect=True, ids=str
)


class Scene(NamedTuple):
    """A session that comes to both."""

    line: str
    source: str
    session: str


def scenes() -> list[Scene]:
    """Return all sessions; the longer ones only where they are something else."""
    found = [Scene(line, source, "plain") for line in LINES for source in SOURCES]
    found += [Scene(line, source, "old") for line in ("helo", "ehlo") for source in SOURCES]
    found += [Scene(line, BAD, session) for line in LINES for session in ("odd", "TLS")]
    return found


def both(lab: Lab, scene: Scene) -> tuple[list[Said], list[Said]]:
    """Have the client come to both."""
    number = port(CHAINS, f"ours {scene.line}"), port(CHAINS, f"go {scene.line}")
    steps = SESSIONS[scene.session]
    ours, theirs = (talk(lab, scene.source, each, steps) for each in number)
    return ours, theirs


def test_the_same_sessions(lab: Lab) -> None:
    moves.smtpctl(lab.guide, "pause", "mda")
    lab.dns.records = {**lab.dns.records, **scored(SCORES)}
    asked = scenes()
    with ThreadPoolExecutor(4) as threads:
        said = dict(zip(asked, threads.map(lambda each: both(lab, each), asked), strict=True))
    different = [f"{scene}:\n{ours}\n{theirs}" for scene, (ours, theirs) in said.items()
                 if ours != theirs]  # fmt: skip
    assert not different, f"{len(different)} of {len(asked)}:\n" + "\n".join(different[:5])

    blocked = Counter(
        (scene.line, each.step.split()[0])
        for scene, (ours, _) in said.items()
        for each in ours
        if each.reply == BLOCKED
    )
    assert blocked == {
        ("connect", "connect"): 4,
        ("helo", "HELO"): 2,
        ("ehlo", "EHLO"): 4,
        ("starttls", "STARTTLS"): 1,
        ("auth", "AUTH"): 1,
        ("mail-from", "MAIL"): 4,
        ("rcpt-to", "RCPT"): 4,
        ("quit", "QUIT"): 4,
        (BEHIND, "QUIT"): 4,
    }
    messages = [each.message for ours, _ in said.values() for each in ours if each.message]
    text = b"".join(messages)
    assert (len(messages), text.count(b"X-Spam: Yes\n")) == (152, 49)
    assert Counter(re.findall(rb"X-SenderScore: (.*)\n", text)) == {
        **{b"0": 8, b"9": 20, b"10": 13, b"69": 13, b"70": 13, b"100": 13},
    }
