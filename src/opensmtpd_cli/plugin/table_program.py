"""The program behind a ``table`` line of smtpd.conf.

Source: ``table_create`` in ``table.c``.
"""

import os
import shutil
import sys
from collections.abc import Collection

from opensmtpd.errors import ConfigError, nearest
from opensmtpd_cli.smtpdconf.table_line import TableLine
from opensmtpd_cli.system import libexec

FLAT = "flat"
"""Our table for the files that smtpd itself reads."""

OURS = {
    "filter-archive": "opensmtpd-filter-archive-py",
    "filter-auth": "opensmtpd-filter-auth-py",
    "filter-dkimsign": "opensmtpd-filter-dkimsign-py",
    "filter-dnsbl": "opensmtpd-filter-dnsbl-py",
    "filter-fcrdns": "opensmtpd-filter-rdns-py",
    "filter-greylist": "opensmtpd-filter-greylist-py",
    "filter-headers": "opensmtpd-filter-headers-py",
    "filter-limit": "opensmtpd-filter-limit-py",
    "filter-metrics": "opensmtpd-filter-metrics-py",
    "filter-milter": "opensmtpd-filter-milter-py",
    "filter-rdns": "opensmtpd-filter-rdns-py",
    "filter-record": "opensmtpd-filter-record-py",
    "filter-rspamd": "opensmtpd-filter-rspamd-py",
    "filter-senderscore": "opensmtpd-filter-senderscore-py",
    "table-dovecot": "opensmtpd-table-dovecot-py",
    "table-flat": "opensmtpd-table-flat-py",
    "table-ldap": "opensmtpd-table-ldap-py",
    "table-mysql": "opensmtpd-table-mysql-py",
    "table-passwd": "opensmtpd-table-passwd-py",
    "table-postgres": "opensmtpd-table-postgres-py",
    "table-record": "opensmtpd-table-record-py",
    "table-redis": "opensmtpd-table-redis-py",
    "table-socketmap": "opensmtpd-table-socketmap-py",
    "table-sqlite": "opensmtpd-table-sqlite-py",
}
"""Programs of this suite, and the Debian package of each."""

_BUILT_IN = ("db", "getpwnam", "proc")


def find(line: TableLine) -> str:
    """Return the path of the program. Raises ConfigError where there is none."""
    if line.kind in _BUILT_IN or (line.built_in and line.path is None):
        raise ConfigError(f"{line.kind} is a part of smtpd: there is no program to ask")
    return place(f"table-{FLAT if line.built_in else line.kind}")


def place(name: str, chroot: str = "") -> str:
    """Return the path of a program: below ``chroot`` only in the places of smtpd.

    Raises ConfigError where it is nowhere.
    """
    for folder in libexec.folders():
        if os.path.exists(f"{chroot}{folder}/{name}"):  # smtpd asks no more, either
            return f"{folder}/{name}"
    ours = os.path.join(os.path.dirname(sys.executable), name)
    found = ours if os.access(ours, os.X_OK) else shutil.which(name)
    if found is None or chroot:
        remedy = f"smtpd wants it in its own directory, as {chroot}{libexec.folders()[0]}"
        if name in OURS:
            remedy += f"; install the package {OURS[name]}, or run opensmtpd-plugins install"
        raise ConfigError(f"there is no program {name}{suggested(name, OURS)}", remedy=remedy)
    return os.path.abspath(found)


def package(name: str) -> str:
    """Return the Debian package of a program; "" where none is known."""
    return OURS.get(name, "")


def suggested(name: str, programs: Collection[str]) -> str:
    """Return the end of a message, with the program of the same kind that is nearest; or ""."""
    kind = name.partition("-")[0] + "-"
    stems = [each.removeprefix(kind) for each in programs if each.startswith(kind)]
    near = nearest(name.removeprefix(kind), stems) if name not in programs else None
    return f"; did you mean {kind}{near}?" if near else ""
