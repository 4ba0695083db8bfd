"""Check rows: an error where smtpd fails on a row, a warning where the row has no use."""

import re
from collections.abc import Callable, Iterable

from opensmtpd.table import KEY_MAX, VALUE_MAX, Service, lower, matching
from opensmtpd.table.file import Row
from opensmtpd.table.limits import HOME_MAX
from opensmtpd.table.matching.netaddr import read_network
from opensmtpd_cli.database import store as database
from opensmtpd_cli.database.schema import CatalogueEntry, encoded
from opensmtpd_cli.plugin import row_warnings, table_values
from opensmtpd_cli.smtpdconf.row_kinds import RowKind
from opensmtpd_cli.smtpdconf.table_uses import Use

Cells = tuple[str | bytes | int, ...]
"""Bytes are text that is not UTF-8."""

_NAME = r"[A-Za-z0-9_.+-]{1,255}(?:@[A-Za-z0-9.-]{1,255})?"
_PLAIN = re.compile(rf"{_NAME}(?:[ \t]*,[ \t]*{_NAME})*")
"""Aliases as most are: nothing that smtpd could take for something else."""


def cells(kind: RowKind, row: Row) -> Cells:
    """Return a row as the database holds it. Raises ValueError with what is wrong."""
    key = _cell("key", row.key, KEY_MAX)
    if kind is RowKind.LIST:
        return (key,)
    value = row.value or ""
    whole = _cell("value", value, VALUE_MAX)
    if kind is RowKind.USERINFO:
        uid, gid, home = table_values.userinfo(row.key, value)
        return key, uid, gid, _cell("home directory", home, HOME_MAX)
    if kind is RowKind.CREDENTIALS:
        table_values.credentials(value)
        user, colon, password = value.partition(":")
        user, password = (user, password) if colon else (row.key, value)
        _cell("value", f"{user}:{password}", VALUE_MAX)
        return key, _cell("user", user, VALUE_MAX), _cell("password", password, VALUE_MAX)
    return key, whole


def row_of(kind: RowKind, row: database.StoreRow) -> Row:
    """Return a row of a database as one of a table file. Raises ValueError where it is none."""
    key, *rest = map(str, row)
    made = Row(1, key, ":".join(rest) if rest else None)
    cells(kind, made)
    if key != lower(key):
        raise ValueError("a key in upper case, which smtpd does not ask for")
    return made


def _cell(what: str, text: str, limit: int) -> str | bytes:
    if text.isascii() and 0 < len(text) <= limit and text.isprintable():
        return text  # as most are, and this is quick
    raw = encoded(text)
    if not raw:
        raise ValueError(f"an empty {what}")
    if len(raw) > limit:
        raise ValueError(f"a {what} of {len(raw):,} bytes; {limit:,} are possible")
    if b"\n" in raw or b"\r" in raw or b"\0" in raw:
        raise ValueError(f"a line end or NUL in the {what}")
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw
    return text


Check = Callable[[Row], str]
"""Returns a warning or "". Raises ValueError."""


def checks(entry: CatalogueEntry, uses: Iterable[Use] = ()) -> list[Check]:
    """Return the further checks of a row, for the services and the uses of its table."""
    found = [_key, *(_CHECKS[service] for service in entry.services if service in _CHECKS)]
    return found + [_judged(judge) for judge in row_warnings.judges(uses)]


def _judged(judge: row_warnings.Judge) -> Check:
    return lambda row: judge(row.key, row.value or "")


def _key(row: Row) -> str:
    if not row.key.isascii():
        try:
            row.key.encode("utf-8")
        except UnicodeEncodeError:
            return "a key that is not UTF-8: our table-sqlite does not find it"
    return ""


def _alias(row: Row) -> str:
    value = row.value or ""
    if _PLAIN.fullmatch(value):
        return ""
    for kind, text, source in table_values.alias(value):
        if kind == "program":
            return (
                f"{row.key} runs a program for each mail, as the user: whoever may write to the"
                " database may run what he likes"
            )
        if kind == "user" and text != source:
            return f"smtpd reads {source} as the user {text}: it does not know such a domain"
    return ""


def _mailaddrmap(row: Row) -> str:
    table_values.addresses(row.value or "")
    return ""


def _source(row: Row) -> str:
    table_values.ip_address(row.key)
    return ""


def _addrname(row: Row) -> str:
    """Smtpd asks for IPv6 addresses in brackets (``sa_to_text``)."""
    try:
        table_values.ip_address(row.key)
    except ValueError as error:
        return f"never asked for: {error}"
    bare = ":" in row.key and not row.key.startswith("[")
    return f"never asked for: smtpd writes [{row.key}]" if bare else ""


def _netaddr(row: Row) -> str:
    if row.key == "local" or read_network(row.key):  # "local" is smtpd's word for its socket
        return ""
    return f"{row.key} matches nothing: it is no address and no network"


def _regex(row: Row) -> str:
    reason = matching.Patterns(Service.REGEX, [row.key]).reason
    return f"{row.key} matches nothing: {reason}" if reason else ""


_CHECKS = {
    Service.ALIAS: _alias,
    Service.MAILADDRMAP: _mailaddrmap,
    Service.SOURCE: _source,
    Service.ADDRNAME: _addrname,
    Service.NETADDR: _netaddr,
    Service.REGEX: _regex,
}
