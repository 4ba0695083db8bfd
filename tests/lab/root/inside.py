"""Commands inside a view of a root."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

CHROOT = "/usr/sbin/chroot"
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LC_ALL": "C.UTF-8",
    "DEBIAN_FRONTEND": "noninteractive",
}


class CommandError(Exception):
    """A command has failed: the text says which, and ends with what it said."""


def tried(
    view: Path, *command: str, given: bytes = b"", extra: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run a command as root, however it ends. ``extra`` is added to its environment."""
    return subprocess.run(
        [CHROOT, view, *command], input=given, capture_output=True, timeout=300, check=False,
        env={**ENVIRONMENT, **(extra or {})},
    )  # fmt: skip


def done(view: Path, *command: str, given: str = "", extra: Mapping[str, str] | None = None) -> str:
    """Run a command as root; returns what it prints. Raises CommandError."""
    ended = tried(view, *command, given=given.encode(), extra=extra)
    said = ended.stdout.decode(errors="replace")
    if ended.returncode:
        wrong = ended.stderr.decode(errors="replace")
        raise CommandError(f"{' '.join(command)}: status {ended.returncode}\n{said}{wrong}")
    return said
