"""Find the rule that smtpd takes for an envelope: ``ruleset_match`` in ruleset.c.

The first rule counts whose conditions all hold. Conditions are tried in smtpd's own order, which
matters for ``tls``: smtpd does not know whether an envelope came over TLS, and refuses mail for the
moment as soon as a rule asks for it.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from opensmtpd.table import Service
from opensmtpd_cli.commands.check.rules.ruleset.tables import Tables
from opensmtpd_cli.errors import Unsure
from opensmtpd_cli.smtpdconf.directives import Condition, MatchRule, TableRef

UNKNOWN_HOST = "<unknown>"
"""The name that smtpd gives a client without one in the DNS."""


_KINDS = ("tag", "from", "for", "helo", "auth", "tls", "mail-from", "rcpt-to")
"""The conditions in the order in which ruleset.c tries them."""


class Envelope(NamedTuple):
    """The facts that conditions look at. None stands for what is not known."""

    recipient: str
    """In lower case, with its domain."""
    internal: bool = False
    """True for the address that an alias or a .forward leads to."""
    source: str | None = None
    """The client's address, IPv6 in brackets; ``local`` for the socket."""
    rdns: str | None = None
    helo: str | None = None
    sender: str | None = None
    """``@`` for the empty one, as smtpd looks it up."""
    tag: str | None = None
    authenticated: bool | None = None

    @property
    def domain(self) -> str:
        """The domain of the recipient."""
        return self.recipient.rpartition("@")[2]


class Ruleset:
    """The rules of a configuration, in order."""

    def __init__(
        self,
        rules: Iterable[MatchRule],
        tables: Tables,
        local: Callable[[str], bool],
        strangers: frozenset[str] = frozenset(),
    ) -> None:
        """Take what the rules need.

        ``local`` tells whether a domain is the machine's own name, and raises Unsure.
        ``strangers`` are keys that stand in no table whose rows are not known: nobody has ever
        heard of them.
        """
        self.rules = tuple(rules)
        self._ordered = [(rule, sorted(conditions(rule), key=_order)) for rule in self.rules]
        self._tables = tables
        self._local = local
        self._strangers = strangers

    def first(self, envelope: Envelope) -> MatchRule | None:
        """Return the rule that decides; None where none does, and smtpd refuses.

        Raises Unsure where that depends on what is not known, or smtpd refuses for the moment.
        """
        for rule, wanted in self._ordered:
            if self._all(wanted, envelope):
                return rule
        return None

    def holds(self, rule: MatchRule, envelope: Envelope) -> bool:
        """Return whether the conditions of one rule hold. Raises Unsure."""
        return self._all(conditions(rule), envelope)

    def _all(self, wanted: list[Condition], envelope: Envelope) -> bool:
        """Return whether all conditions hold: where one does not, others need not be known."""
        unsure = False
        for condition in wanted:
            if condition.kind == "tls":
                raise Unsure
            try:
                if not self.fulfils(condition, envelope):
                    return False
            except Unsure:
                unsure = True
        if unsure:
            raise Unsure
        return True

    def fulfils(self, condition: Condition, envelope: Envelope) -> bool:
        """Return whether one condition, as ``conditions`` has them, holds. Raises Unsure."""
        if condition.kind == "from" and envelope.internal and _without_table(condition):
            return False  # smtpd skips the rule, negated or not
        return self._plain(condition, envelope) is not condition.negated

    def _plain(self, condition: Condition, envelope: Envelope) -> bool:
        match condition.kind:
            case "from":
                return self._from(condition, envelope)
            case "for":
                return self._for(condition, envelope)
            case "auth":
                return _authenticated(condition, envelope)
            case "tls":
                raise Unsure
        service, key = {
            "tag": (Service.STRING, envelope.tag),
            "helo": (Service.DOMAIN, envelope.helo),
            "mail-from": (Service.MAILADDR, envelope.sender),
            "rcpt-to": (Service.MAILADDR, envelope.recipient),
        }[condition.kind]
        return self._in(condition, service, key)

    def _from(self, condition: Condition, envelope: Envelope) -> bool:
        source = "local" if envelope.internal else envelope.source
        match condition.what:
            case "any":
                return True
            case "local" | "socket":
                if source is None:
                    raise Unsure
                return source == "local"
            case "rdns":
                name = "local" if envelope.internal else envelope.rdns
                if name is None:
                    raise Unsure
                if condition.table is None:
                    return name != UNKNOWN_HOST
                if name == UNKNOWN_HOST:
                    # The rule is skipped, negated or not.
                    return condition.negated
                return self._in(condition, Service.NETADDR, name)
            case "src":
                return self._in(condition, Service.NETADDR, source)
        raise Unsure

    def _for(self, condition: Condition, envelope: Envelope) -> bool:
        match condition.what:
            case "any":
                return True
            case "local":
                return self._local(envelope.domain)
            case "domain":
                return self._in(condition, Service.DOMAIN, envelope.domain)
        raise Unsure

    def _in(self, condition: Condition, service: Service, key: str | None) -> bool:
        if condition.table is None or key is None:
            raise Unsure
        wanted = Service.REGEX if condition.regex else service
        if key in self._strangers and self._tables.rows(condition.table) is None:
            return False
        return self._tables.holds(condition.table, wanted, key)


def _order(condition: Condition) -> int:
    return _KINDS.index(condition.kind)


def _without_table(condition: Condition) -> bool:
    return condition.what == "socket" or (condition.what == "rdns" and not condition.table)


def _authenticated(condition: Condition, envelope: Envelope) -> bool:
    if envelope.authenticated is None:
        raise Unsure
    if envelope.authenticated and condition.table:
        raise Unsure  # it is not known who the user is
    return envelope.authenticated


def conditions(rule: MatchRule) -> list[Condition]:
    """Return the conditions of a rule as smtpd keeps them.

    ``from auth``, ``from mail-from`` and ``for rcpt-to`` are two each: anybody, and the condition
    without ``from`` or ``for``; only that one is negated.
    """
    found = []
    others = [each for each in rule.conditions if each.kind not in ("from", "for")]
    for condition in (rule.from_, rule.for_, *others):
        if condition.what in ("auth", "mail-from", "rcpt-to"):
            found.append(Condition(condition.kind, "any"))
            found.append(condition._replace(kind=condition.what, what=""))
        else:
            found.append(condition)
    return found


def tables_of(rule: MatchRule, kind: str) -> list[tuple[TableRef, bool]]:
    """Return the tables of the conditions of a kind, each with whether it has expressions."""
    return [
        (each.table, each.regex) for each in conditions(rule) if each.kind == kind and each.table
    ]
