"""The programs of ``examples``, put on a server as an administrator would."""

from pathlib import Path

from lab.root.plugin import LIBEXEC, TREE

EXAMPLES = TREE / "examples"
SYSTEM_PYTHON = "/usr/bin/python3"
DOMAINS = """#!/bin/sh
test "$1" = domain || exit 7
case "$2" in
    example.com | *.example.com | our.example.net) echo yes ;;
    *) exit 1 ;;
esac
"""
"""A command for table-command."""


def programs() -> dict[str, Path]:
    """Return the files by the names that the programs have where smtpd looks for them."""
    return {path.stem.replace("_", "-"): path for path in sorted(EXAMPLES.glob("*.py"))}


def put(view: Path, name: str, python: str) -> None:
    """Put a program where smtpd looks for it, with this Python in its first line."""
    text = programs()[name].read_text()
    assert text.startswith(f"#!{SYSTEM_PYTHON}\n")
    place = view / LIBEXEC / name
    place.write_text(text.replace(SYSTEM_PYTHON, python, 1))
    place.chmod(0o755)


def put_files(view: Path, aliases: str) -> None:
    """Put there what the two tables read and run."""
    (view / "etc/mail/aliases.csv").write_text(aliases)
    script = view / "usr/local/bin/our-domains"
    script.write_text(DOMAINS)
    script.chmod(0o755)
