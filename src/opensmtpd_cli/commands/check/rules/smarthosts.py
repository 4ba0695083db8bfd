"""Find relay hosts that smtpd cannot use: ``text_to_relayhost`` in to.c, ``mta.c``.

``smtpd -n`` does not look at them, and the mail stays in the queue.
"""

import re
from collections.abc import Iterator

from opensmtpd_cli.commands.check.finding import Finding, error
from opensmtpd_cli.commands.check.rules.ruleset.tables import Tables
from opensmtpd_cli.commands.check.server import Server
from opensmtpd_cli.smtpdconf.directives import ActionDefinition

_URL = re.compile(
    r"(?:([a-z+]+)://)?(?:([^@]*)@)?(\[[^\]]*\]|[^:/@]*)(?::([0-9]+))?/?", re.IGNORECASE
)
_SECURE = ("smtp+tls", "smtps")
_SCHEMES = ("smtp", "smtp+notls", "lmtp", *_SECURE)
_WHY = "The mail of this action stays in the queue, and goes back to its senders in the end."


def smarthosts(server: Server) -> Iterator[Finding]:
    """Yield the relay hosts with a scheme that is none, or a label without TLS or password."""
    tables = Tables(server.configuration)
    for action in server.configuration.actions.values():
        if action.host is not None:
            for text in tables.keys(action.host):
                yield from _judged(action, text, tables)
        if action.domain is not None:
            for text in set((tables.mapping(action.domain) or {}).values()):
                yield from _judged(action, text, tables)


def _judged(action: ActionDefinition, text: str, tables: Tables) -> Iterator[Finding]:
    match = _URL.fullmatch(text)
    if match is None:
        return
    scheme, label, host, _ = match.groups()
    scheme = (scheme or "smtp").lower()
    name = (label or "").partition(":")[0]  # others write USER:PASSWORD there
    if scheme not in _SCHEMES:
        fault = f"{scheme}:// is no scheme that smtpd knows"
        yield error("relay-scheme", action.place, fault, _WHY, f"write smtp+tls://{host}")
    elif label and scheme not in _SECURE:
        fault = f"{scheme}:// with the label {name}: smtpd gives no password away without TLS"
        remedy = f"write smtp+tls://{name}@{host} (port 587), or smtps://{name}@{host} (465)"
        yield error("relay-auth-without-tls", action.place, fault, _WHY, remedy)
    elif label and action.auth is None:
        fault = f"the label {name} of {host} stands in no table: the action has none"
        yield error(
            "relay-label-unknown", action.place, fault, _WHY, "write auth <TABLE> behind it"
        )
    elif label and action.auth is not None:
        found = tables.mapping(action.auth)
        if found is not None and label.lower() not in found:
            fault = f"the label {name} of {host} is not in its table of passwords"
            remedy = f"add the row: {name} USER:PASSWORD"
            yield error("relay-label-unknown", action.place, fault, _WHY, remedy)
