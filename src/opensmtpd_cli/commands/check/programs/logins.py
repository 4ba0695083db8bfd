"""Tables that are to check passwords themselves, with an smtpd that does not let them.

smtpd before 7.9 sends such passwords in lower case, so that a table does not offer ``auth`` there,
and smtpd asks it for ``credentials``.
"""

import re
from collections.abc import Iterator
from contextlib import suppress

from opensmtpd.backends import key_file
from opensmtpd.errors import ConfigError
from opensmtpd.files import reading
from opensmtpd_cli.commands.check import finding
from opensmtpd_cli.commands.check.finding import Finding
from opensmtpd_cli.commands.check.programs.who import STOPS
from opensmtpd_cli.commands.check.server import Server
from opensmtpd_cli.smtpdconf import recorded
from opensmtpd_cli.smtpdconf.table_line import TableLine

AUTH_SINCE = (7, 9)
DOVECOT = "dovecot"
FORCED = "auth_before_7.9"
_INSTEAD = {
    "ldap": ("auth_filter", "credentials_filter"),
    **dict.fromkeys(("mysql", "postgres", "redis", "sqlite"), ("query_auth", "query_credentials")),
}
"""Kinds of tables; the key by which they check passwords, and the one of hashes for smtpd."""
_CONF_MAX = 1 << 20
_LINE = re.compile(rb"^[ \t]*([a-z0-9_.]+)[ \t:]+([^ \t\r\n]+)", re.MULTILINE)


def logins(server: Server) -> Iterator[Finding]:
    """Yield the tables that are to check passwords, and cannot with the smtpd that is here."""
    if not server.version or server.version >= AUTH_SINCE:
        return
    for each in server.configuration.tables.values():
        for line in recorded.tables(each):
            if line.kind == DOVECOT and line.path and _without_users(line.path):
                yield _of_no_use(server, (each.path, each.line), line)
    for listener in server.configuration.listeners:
        table = listener.auth_table and server.configuration.tables.get(listener.auth_table.name)
        for line in recorded.tables(table) if table else ():
            if missing := _missing(line):
                yield _failing(server, listener.place, line, missing)


def _of_no_use(server: Server, place: tuple[str, int], line: TableLine) -> Finding:
    fault = f"table {line.name}: Dovecot checks passwords for smtpd 7.9, and this is {_is(server)}"
    remedy = "install smtpd 7.9, or write the hashes into a table of table-passwd"
    return finding.error("auth-smtpd-old", place, fault, STOPS, remedy)


def _failing(server: Server, place: tuple[str, int], line: TableLine, missing: str) -> Finding:
    fault = (
        f"table {line.name} checks passwords for smtpd 7.9, and this is {_is(server)}, which asks "
        f"for hashes: {missing}"
    )
    remedy = "install smtpd 7.9, or have the table answer for hashes"
    return finding.warning("auth-smtpd-old", place, fault, "Nobody can log in.", remedy)


def _is(server: Server) -> str:
    return "smtpd " + ".".join(map(str, server.version[:2]))


def _missing(line: TableLine) -> str:
    """Return words for what a table lacks to have users log in; "" where it lacks nothing."""
    keys = _keys(line.path or "")
    if keys.get(FORCED) == "yes":
        return ""
    if line.kind == DOVECOT:
        return "" if not line.path or _without_users(line.path) else "Dovecot tells none"
    checks, hashes = _INSTEAD.get(line.kind, ("", ""))
    return f"there is no {hashes}" if checks in keys and hashes not in keys else ""


def _without_users(path: str) -> bool:
    """Return whether a table of Dovecot's has nothing but passwords, and is not forced to."""
    keys = _keys(path) if key_file.is_one(path) else {}
    return "userdb" not in keys and keys.get(FORCED) != "yes"


def _keys(path: str) -> dict[str, str]:
    """Return the keys in a configuration, and their first words; none where it cannot be read."""
    with suppress(ConfigError), reading(path) as file:
        found = _LINE.findall(file.read(_CONF_MAX))
        return {key.decode(): word.decode(errors="replace") for key, word in found}
    return {}
