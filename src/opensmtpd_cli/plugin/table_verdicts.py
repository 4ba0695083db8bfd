"""Judge a table's lines as smtpd does (``table_proc.c``, ``lka.c``, ``ruleset.c``). No I/O."""

from enum import StrEnum
from typing import NamedTuple

from opensmtpd.errors import RemoteError
from opensmtpd.table import VALUE_MAX, Service
from opensmtpd.table.service import SERVICES
from opensmtpd_cli.plugin import row_warnings, table_values


class TableOutcome(StrEnum):
    """The end of a request to a table."""

    FOUND = "found"
    NOT_FOUND = "not found"
    ERROR = "error"
    FATAL = "fatal"


class TableVerdict(NamedTuple):
    """A judged answer. ``value`` was found, ``effect`` is done by smtpd then; both may be empty."""

    outcome: TableOutcome
    value: str = ""
    effect: str = ""


CHECKED = frozenset(
    (Service.DOMAIN, Service.NETADDR, Service.MAILADDR, Service.STRING, Service.REGEX, Service.AUTH)
)
"""Services that smtpd only checks: it has no use for a value."""

_RULE = ("a rule that asks this matches", "a rule that asks this does not match")
_RULE_ERROR = 'a match rule answers the recipient "451 Temporary failure"'
_KEPT = "the mail stays in the queue"
_LOGIN_ERROR = 'a client that logs in gets "421 4.3.0 Temporary failure"'

_NOT_FOUND = {
    Service.ALIAS: "goes on without an alias",
    Service.CREDENTIALS: 'a client that logs in gets "535 Authentication failed"',
    Service.AUTH: 'the client gets "535 Authentication failed"',
    Service.USERINFO: 'the recipient gets "550 Invalid recipient"',
    Service.MAILADDRMAP: 'the sender gets "530 Sender rejected"',
    Service.SOURCE: f'{_KEPT} ("No valid route to destination")',
    Service.ADDRNAME: f'{_KEPT} ("Failed to retrieve helo string")',
    Service.RELAYHOST: f'{_KEPT} ("Cannot retrieve smarthost")',
}
_ERROR = _NOT_FOUND | {
    Service.ALIAS: 'the recipient gets "424 4.2.4 Mailing list expansion problem"',
    Service.CREDENTIALS: _LOGIN_ERROR,
    Service.AUTH: _LOGIN_ERROR,
    Service.USERINFO: 'the recipient gets "451 Temporary failure"',
    Service.MAILADDRMAP: 'the sender gets "421 4.3.0 Temporary Error"',
}


def failed(service: Service, reason: str) -> TableVerdict:
    """Return the verdict on an answer, or a key, that is an error to smtpd."""
    return TableVerdict(TableOutcome.ERROR, reason, _ERROR.get(service, _RULE_ERROR))


def fatal(reason: str) -> TableVerdict:
    """Return the verdict on what ends smtpd: all mail stops."""
    return TableVerdict(TableOutcome.FATAL, reason, "dies, and all mail stops")


def registration(line: bytes) -> Service | None:
    """Read a line of the handshake; None is its end. Raises RemoteError where smtpd dies."""
    line = line.partition(b"\0")[0]
    if not line.startswith(b"register|"):
        raise RemoteError("table-proc: invalid handshake reply")
    name = line[9:]
    if name != b"ready" and name not in SERVICES:
        raise RemoteError(f"table-proc: unknown service {name.decode('utf-8', 'backslashreplace')}")
    return SERVICES.get(name)


def answer(
    verb: str, service: Service, id: str, line: bytes, *, key: str = "", six: bool = True
) -> TableVerdict:
    """Judge an answer to ``lookup``, ``check`` or ``fetch``.

    ``six`` says whether this smtpd reads IPv6 addresses.
    """
    line = line.partition(b"\0")[0]
    head = f"{verb}-result|{id}|".encode("ascii")
    if not line.startswith(head):
        return fatal("table-proc: failed to parse reply")
    text = line[len(head) :].decode("utf-8", "surrogateescape")
    if text == "not-found":
        return TableVerdict(TableOutcome.NOT_FOUND, effect=_NOT_FOUND.get(service, _RULE[1]))
    if text.startswith("error"):
        return failed(service, text[6:] if text.startswith("error|") else "")
    if verb == "check":
        return _checked(service, text)
    if text.startswith("found|"):
        return _found(service, text[6:], key, six)
    return fatal("table-proc: failed to parse reply")


def _checked(service: Service, text: str) -> TableVerdict:
    if not text.startswith("found"):
        return fatal("table-proc: failed to parse reply")
    effect = "the password is right" if service is Service.AUTH else _RULE[0]
    return TableVerdict(TableOutcome.FOUND, effect=effect)


def _found(service: Service, value: str, key: str, six: bool) -> TableVerdict:
    if not value:
        return fatal("table-proc: empty response")
    try:
        effect = _reading(service, value, key, six)
    except ValueError as error:
        return failed(service, f"smtpd cannot read this value: {error}")
    return TableVerdict(TableOutcome.FOUND, value, effect)


def _reading(service: Service, value: str, key: str, six: bool) -> str:
    """Return a text on the value as smtpd reads it. Raises ValueError."""
    if service is Service.ALIAS:
        found = [f"{kind} {text}" for kind, text, _ in table_values.alias(value)]
        return "delivers to " + "; ".join(found) if found else _NOT_FOUND[service]
    if service is Service.CREDENTIALS:
        table_values.credentials(value)
        warning = row_warnings.login(key.partition(":")[0], value)
        return f"for a login, {warning}" if warning else ""
    if service is Service.USERINFO:
        uid, gid, home = table_values.userinfo(key, value)
        return f"uid {uid}, gid {gid}, home {home}"
    if service is Service.MAILADDRMAP:
        return "may send as " + ", ".join(table_values.addresses(value))
    if service in (Service.SOURCE, Service.ADDRNAME):
        table_values.ip_address(value if service is Service.SOURCE else key, six=six)
    elif service in CHECKED:
        return f"only checks {service}, and asks for no value"
    if table_values.size(value) > VALUE_MAX:
        raise ValueError(f"{table_values.size(value)} bytes")
    return ""
