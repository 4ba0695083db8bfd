"""Find the package of this system that a file belongs to, on any system."""

import os
import re
import subprocess

_ASK = (
    (("dpkg-query", "--search"), r"^([^\s:,]+)\S*(?:, \S+)*: /"),
    (("rpm", "-qf", "--queryformat", "%{NAME}\n"), r"^(\S+)$"),
    (("pacman", "-Qoq"), r"^(\S+)$"),
    (("apk", "info", "--who-owns"), r" is owned by (\S+)$"),
    (("pkg_info", "-E"), r"^/.*: (\S+)$"),
    (("pkg", "which", "-q"), r"^(\S+)$"),
)
"""Command to ask with, before the path; the form of the answer, with the package in it."""
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PATIENCE = 20.0


def owner(path: str) -> str | None:
    """Return the name of the package; None where none owns it, or nobody can tell."""
    environment = {"PATH": _PATH, "LC_ALL": "C"}
    for command, answer in _ASK:
        try:
            said = subprocess.run(
                [*command, path], env=environment, stdin=subprocess.DEVNULL, capture_output=True,
                timeout=_PATIENCE, check=False, cwd="/",
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired):  # not this system's
            continue
        found = re.search(answer, os.fsdecode(said.stdout), re.MULTILINE)
        if said.returncode == 0 and found:
            return found[1]
    return None
