"""The configuration file with which ``table-sqlite`` serves a table of the schema.

The C table-sqlite can use the same file: it logs the keys that it does not know, and goes on.
"""

from opensmtpd.errors import ConfigError
from opensmtpd.table import Service
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


def configuration(entry: CatalogueEntry, database: str, delimiter: str = "+") -> str:
    """Return the file. ``database`` is a full path, ``delimiter`` smtpd's sub-addr-delim.

    Raises ConfigError for a path that the format cannot hold.
    """
    if "\n" in database or database != database.strip():
        raise ConfigError("a path that begins or ends with a space", path=database)
    uses = ", ".join(entry.services) or "nothing yet"
    first = f'# Table "{entry.name}" of smtpd.conf, by opensmtpd-plugins import. Used for: {uses}.'
    lines = [first.replace("\n", " "), f"dbpath {database}"]
    if delimiter != "+":
        lines.append(f"sub_addr_delim {delimiter}")
    for service in entry.services or _UNKNOWN[entry.kind]:
        lines += _queries(entry, service)
    return "\n".join(lines) + "\n"


def _queries(entry: CatalogueEntry, service: Service) -> list[str]:
    table = identifier(entry.name)
    columns = _VALUES[entry.kind].get(service) or _KEYS.get(service)
    lines = [f"query_{service} SELECT {columns} FROM {table} WHERE key = ?"] if columns else []
    if service in _PATTERNS:
        lines.append(f"patterns_{service} SELECT key FROM {table}{_PATTERNS[service]}")
    if service is Service.SOURCE or (service is Service.RELAYHOST and entry.kind is RowKind.LIST):
        lines.append(f"fetch_{service} SELECT key FROM {table} ORDER BY key")
    if service is Service.CREDENTIALS and entry.kind is RowKind.CREDENTIALS:
        lines += [
            "# For hashes of a listener's users that crypt(3) lacks, with smtpd 7.9 or later:",
            "# instead of query_credentials, this. Then table-sqlite checks the passwords itself.",
            f"# query_auth SELECT user, password FROM {table} WHERE key = ?",
        ]
    return lines
