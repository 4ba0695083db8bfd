"""The directory where this system's smtpd looks for its plugins.

It is ``PATH_LIBEXEC`` when smtpd is built, and ``table_create`` in ``table.c`` has it in a string
of its own, before ``/table-%s``.
"""

import os
import re

from opensmtpd_cli.system import smtpd_binary

LIBEXEC = (
    "/usr/libexec/opensmtpd",  # Debian
    "/usr/local/libexec/smtpd",  # OpenBSD
    "/usr/lib/opensmtpd",  # Alpine
    "/usr/lib/smtpd/opensmtpd",  # Arch
    "/usr/local/libexec/opensmtpd",  # FreeBSD
)
"""Directories in which smtpd finds its plugins, on systems that are known here. smtpd is built with
one directory, and looks nowhere else."""

_STRING = re.compile(rb"\0((?:/[A-Za-z0-9_+-][A-Za-z0-9._+-]*)+)/table-%s\0")


def folders() -> tuple[str, ...]:
    """Return the directory that this system's smtpd names, or all that are known."""
    named = own()
    return (named,) if named else LIBEXEC


def own() -> str | None:
    """Return the directory that this system's smtpd names; None where there is no smtpd."""
    found = map(named_in, smtpd_binary.paths())
    return next((folder for folder in found if folder), None)


def named_in(smtpd: str) -> str | None:
    """Return the directory that a program names; None if it is no smtpd, or cannot be read."""
    found = smtpd_binary.string_in(smtpd, _STRING)
    return os.fsdecode(found) if found else None
