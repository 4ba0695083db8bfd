"""Find rules to which no mail comes, rules that stop all mail, and actions that no rule takes."""

from collections.abc import Iterator

from opensmtpd.table import Service
from opensmtpd_cli.commands.check.finding import Finding, error, warning
from opensmtpd_cli.commands.check.rules.ruleset.matching import conditions
from opensmtpd_cli.commands.check.rules.ruleset.tables import Tables
from opensmtpd_cli.commands.check.server import Server
from opensmtpd_cli.errors import Unsure
from opensmtpd_cli.smtpdconf.directives import Condition, MatchRule

_PATTERN = set("*")


def unreachable(server: Server) -> Iterator[Finding]:
    """Yield the rules that come too late, wholly or for some of their domains."""
    configuration = server.configuration
    unclear = {other.place for other in configuration.rest}
    tables = Tables(configuration)
    earlier: list[MatchRule] = []
    for rule in configuration.matches:
        if rule.place in unclear:
            continue
        both_ways = list(_both_ways(server, earlier, rule, tables))
        yield from both_ways
        found = next((each for each in earlier if _takes_all(each, rule, tables)), None)
        if found is not None and not both_ways:
            yield warning(
                "rule-unreachable",
                rule.place,
                f"no mail comes to this rule: line {found.place.line} takes all that it would",
                "smtpd takes the first rule that matches.",
                "move this rule up, or remove it",
            )
        if found is None:
            earlier.append(rule)


def asking_for_tls(server: Server) -> Iterator[Finding]:
    """Yield the rules with ``tls``, which smtpd parses and cannot answer."""
    for rule in server.configuration.matches:
        if any(condition.kind == "tls" for condition in rule.conditions):
            yield error(
                "rule-tls",
                rule.place,
                "a rule that asks for tls: smtpd cannot tell, and refuses mail that comes to it",
                "Clients get 451 Temporary failure, for as long as they try.",
                "write tls-require at the listener, with a tag, and match tag TAG",
            )


def unused(server: Server) -> Iterator[Finding]:
    """Yield the actions that no rule takes."""
    taken = {rule.action for rule in server.configuration.matches}
    if any(other.words[:1] == ("match",) for other in server.configuration.rest):
        return
    for action in server.configuration.actions.values():
        if action.name not in taken:
            yield warning(
                "action-unused",
                action.place,
                f"no rule takes the action {action.name}",
                "",
                f'write a match ... action "{action.name}", or remove it',
            )


def _takes_all(earlier: MatchRule, rule: MatchRule, tables: Tables) -> bool:
    """Return whether an earlier rule takes all the mail that would come to a rule."""
    return all(_follows(wanted, conditions(rule), tables) for wanted in conditions(earlier))


def _follows(wanted: Condition, given: list[Condition], tables: Tables) -> bool:
    """Return whether a condition holds wherever the given ones do."""
    if wanted.kind == "tls":
        return False
    if wanted.what == "any" and not wanted.negated:
        return True
    same = wanted._replace(table=None)
    for each in given:
        if each._replace(table=None) == same and _same_table(wanted, each):
            return True
        if (
            each.kind == wanted.kind
            and not wanted.negated
            and not each.negated
            and (_less(wanted, each) or _rows_within(wanted, each, tables))
        ):
            return True
    return False


def _same_table(one: Condition, other: Condition) -> bool:
    if one.table is None or other.table is None:
        return one.table is other.table
    if one.table.name or other.table.name:
        return one.table.name == other.table.name
    return [row[1:] for row in one.table.rows or ()] == [row[1:] for row in other.table.rows or ()]


def _less(wanted: Condition, given: Condition) -> bool:
    """Return whether the one asks for less of the same: auth for any user, local for the socket."""
    if wanted.kind == "auth":
        return wanted.table is None
    return wanted.kind == "from" and (wanted.what, given.what) == ("local", "socket")


def _rows_within(wanted: Condition, given: Condition, tables: Tables) -> bool:
    """Return whether all domains of one condition are among those of the other."""
    if not (wanted.what == given.what == "domain") or wanted.regex or given.regex:
        return False
    domains = _domains(given, tables)
    return bool(domains) and all(_holds(wanted, domain, tables) for domain in domains)


def _domains(condition: Condition, tables: Tables) -> list[str]:
    """Return the domains of a condition; none where one of them is a pattern, or not known."""
    keys = tables.keys(condition.table) if condition.table else []
    return [] if any(_PATTERN & set(key) for key in keys) else keys


def _holds(condition: Condition, domain: str, tables: Tables) -> bool:
    try:
        return condition.table is not None and tables.holds(condition.table, Service.DOMAIN, domain)
    except Unsure:
        return False


def _both_ways(
    server: Server, earlier: list[MatchRule], rule: MatchRule, tables: Tables
) -> Iterator[Finding]:
    """Yield the domains that an earlier rule delivers here, and this one relays, or the reverse."""
    actions = server.configuration.actions
    here = actions.get(rule.action)
    if here is None or rule.for_.what != "domain" or rule.for_.negated or rule.for_.regex:
        return
    for other in earlier:
        there = actions.get(other.action)
        if there is None or (there.kind == "relay") is (here.kind == "relay"):
            continue
        if other.for_.what != "domain" or other.for_.negated or other.for_.regex:
            continue
        rest = [each for each in conditions(other) if each.kind != "for"]
        if not all(_follows(each, conditions(rule), tables) for each in rest):
            continue
        both = [each for each in _domains(rule.for_, tables) if _holds(other.for_, each, tables)]
        if both:
            verbs = (
                ("relays", "delivered here") if there.kind == "relay" else ("delivers", "relayed")
            )
            names = ", ".join(both[:3]) + (" and others" if len(both) > 3 else "")
            yield warning(
                "domain-both-ways",
                rule.place,
                f"mail for {names} is never {verbs[1]}: line {other.place.line} {verbs[0]} it",
                "smtpd takes the first rule that matches, and the domain is in the tables of both.",
                "remove the domain from one of the tables",
            )
