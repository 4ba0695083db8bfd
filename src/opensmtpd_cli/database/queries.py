"""The configuration file with which a program serves a table of the schema.

The C table-sqlite can use the same file: it logs the keys that it does not know, and goes on.
"""

from collections.abc import Callable, Iterable
from functools import partial

from opensmtpd.errors import ConfigError
from opensmtpd.table import Service
from opensmtpd_cli.database.dialects import Dialect
from opensmtpd_cli.database.schema import WILDCARD, CatalogueEntry, identifier
from opensmtpd_cli.smtpdconf.row_kinds import RowKind

_VALUES = {
    RowKind.LIST: {},
    RowKind.MAPPING: dict.fromkeys(
        (Service.ALIAS, Service.MAILADDRMAP, Service.ADDRNAME, Service.RELAYHOST), "value"
    ),
    RowKind.CREDENTIALS: {Service.CREDENTIALS: "user, password"},
    RowKind.USERINFO: {Service.USERINFO: "uid, gid, home"},
}
"""Services that ask for a value, and the columns that hold it."""

_KEYS = {
    Service.DOMAIN: "key",
    Service.NETADDR: "key",
    Service.SOURCE: "key",
    Service.MAILADDR: "key",
    Service.STRING: "key",
    Service.REGEX: "key",
    Service.CREDENTIALS: "key, key",  # a filter's "auth <list>": smtpd drops the answer
}

_PATTERNS = {
    Service.DOMAIN: f" WHERE {WILDCARD}",
    # All but IPv4 addresses as smtpd writes them: it asks for those as they stand. Others have
    # another character, fewer numbers, or a zero in front of one.
    Service.NETADDR: " WHERE key GLOB '*[^0-9.]*' OR key NOT GLOB '[0-9]*.[0-9]*.[0-9]*.[0-9]*'"
    " OR '.' || key GLOB '*.0[0-9]*'",
    Service.MAILADDR: "",
    Service.REGEX: "",
}
"""Services whose rows mean more than themselves, and which rows these are."""

_UNKNOWN = {
    RowKind.LIST: (
        *(Service.DOMAIN, Service.NETADDR, Service.SOURCE),
        *(Service.MAILADDR, Service.RELAYHOST, Service.STRING),
    ),
    RowKind.MAPPING: (*_VALUES[RowKind.MAPPING], Service.MAILADDR, Service.STRING),
    RowKind.CREDENTIALS: (Service.CREDENTIALS,),
    RowKind.USERINFO: (Service.USERINFO,),
}
"""Services of a table that smtpd.conf does not use: all but ``regex``."""

_MATCH = "match domain mailaddr netaddr"


def configuration(entry: CatalogueEntry, database: str, delimiter: str = "+") -> str:
    """Return the file. ``database`` is a full path, ``delimiter`` smtpd's sub-addr-delim.

    Raises ConfigError for a path that the format cannot hold.
    """
    if "\n" in database or database != database.strip():
        raise ConfigError("a path that begins or ends with a space", path=database)
    return _file(entry, [f"dbpath {database}"], delimiter, partial(_queries, entry))


def _file(
    entry: CatalogueEntry,
    head: Iterable[str],
    delimiter: str,
    queries: Callable[[Service], list[str]],
) -> str:
    """Return a file; ``queries`` returns the lines for a service."""
    uses = ", ".join(entry.services) or "nothing yet"
    title = f'# Table "{entry.name}" of smtpd.conf, by opensmtpd-plugins. Used for: {uses}.'
    lines = [title.replace("\n", " "), *head]
    if delimiter != "+":
        lines.append(f"sub_addr_delim {delimiter}")
    for service in entry.services or _UNKNOWN[entry.kind]:
        lines += queries(service)
    return "\n".join(lines) + "\n"


def of_server(
    entry: CatalogueEntry, dialect: Dialect, connection: Iterable[str], delimiter: str = "+"
) -> str:
    """Return the file for a table on a server. ``connection`` has the lines that say where it is.

    Networks, wildcards and @domains are asked for as further keys, so that new ones count at once.
    """
    head = [*connection, _MATCH]
    return _file(entry, head, delimiter, partial(_server_queries, entry, dialect))


def _server_queries(entry: CatalogueEntry, dialect: Dialect, service: Service) -> list[str]:
    table, key = dialect.identifier(entry.name), dialect.identifier("key")
    names = _VALUES[entry.kind].get(service) or _KEYS.get(service)
    lines = []
    if names:
        columns = ", ".join(map(dialect.identifier, names.split(", ")))
        mark = dialect.parameter
        lines.append(f"query_{service} SELECT {columns} FROM {table} WHERE {key} = {mark}")
    if service is Service.REGEX:
        lines.append(f"patterns_{service} SELECT {key} FROM {table}")
    return lines + _lists(entry, service, table, key)


def of_redis(entry: CatalogueEntry, connection: Iterable[str], delimiter: str = "+") -> str:
    """Return the file for a table in Valkey or Redis, as ``redis`` keeps it."""
    return _file(entry, [*connection, _MATCH], delimiter, partial(_redis_queries, entry))


def _redis_queries(entry: CatalogueEntry, service: Service) -> list[str]:
    name = entry.name.replace("%", "%%")
    if entry.kind is RowKind.LIST:
        lines = [f"query_{service} SISMEMBER {name} %s"] if service in _KEYS else []
        if service in (Service.SOURCE, Service.RELAYHOST):
            lines.append(f"fetch_{service} SMEMBERS {name}")
        return lines + ([f"patterns_{service} SMEMBERS {name}"] if service is Service.REGEX else [])
    verb = "HGET" if service in _VALUES[entry.kind] else "HEXISTS"
    lines = [f"query_{service} {verb} {name} %s"]
    return lines + ([f"patterns_{service} HKEYS {name}"] if service is Service.REGEX else [])


def _lists(entry: CatalogueEntry, service: Service, table: str, key: str) -> list[str]:
    is_list = service is Service.RELAYHOST and entry.kind is RowKind.LIST
    if service is Service.SOURCE or is_list:
        return [f"fetch_{service} SELECT {key} FROM {table} ORDER BY {key}"]
    return []


def _queries(entry: CatalogueEntry, service: Service) -> list[str]:
    table = identifier(entry.name)
    columns = _VALUES[entry.kind].get(service) or _KEYS.get(service)
    lines = [f"query_{service} SELECT {columns} FROM {table} WHERE key = ?"] if columns else []
    if service in _PATTERNS:
        lines.append(f"patterns_{service} SELECT key FROM {table}{_PATTERNS[service]}")
    lines += _lists(entry, service, table, "key")
    if service is Service.CREDENTIALS and entry.kind is RowKind.CREDENTIALS:
        lines += [
            "# For hashes of a listener's users that crypt(3) lacks, with smtpd 7.9 or later:",
            "# instead of query_credentials, this. Then table-sqlite checks the passwords itself.",
            f"# query_auth SELECT user, password FROM {table} WHERE key = ?",
        ]
    return lines
