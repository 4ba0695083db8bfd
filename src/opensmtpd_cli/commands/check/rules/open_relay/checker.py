"""Find the rules that let strangers send mail to anybody: an open relay.

The rules are read, not tried: smtpd takes all addresses of its own machine for local, so that to
ask it from the machine itself proves nothing. ``probe`` asks from elsewhere.

A rule is reported where strangers are found, by what they say and where they come from, for whom
smtpd takes that rule: earlier rules that refuse them, listeners that want a password or a
certificate, and smtpd's own filters are looked at. Filters that are programs are not.
"""

from collections.abc import Iterator

from opensmtpd_cli.commands.check.finding import Finding, error, warning
from opensmtpd_cli.commands.check.rules.open_relay import strangers
from opensmtpd_cli.commands.check.rules.open_relay.entrances import entrances, family
from opensmtpd_cli.commands.check.rules.open_relay.strangers import Crowd, Guise
from opensmtpd_cli.commands.check.rules.ruleset.local_names import is_local
from opensmtpd_cli.commands.check.rules.ruleset.matching import Ruleset, conditions
from opensmtpd_cli.commands.check.rules.ruleset.tables import Tables
from opensmtpd_cli.commands.check.server import Server
from opensmtpd_cli.errors import Unsure
from opensmtpd_cli.smtpdconf.configuration import Configuration
from opensmtpd_cli.smtpdconf.directives import Listener, MatchRule

_WHY = (
    "Spammers look for such servers all day: it is on the blocklists within hours, and its own "
    "mail is refused everywhere."
)


def check(server: Server) -> Iterator[Finding]:
    """Yield each rule that makes the server an open relay."""
    configuration = server.configuration
    unclear = {other.place for other in configuration.rest}
    clear = []
    for rule in configuration.matches:
        if rule.place in unclear:
            break  # what comes behind it depends on it
        clear.append(rule)
    tables = Tables(configuration)
    ruleset = Ruleset(clear, tables, is_local, strangers.KEYS)
    doors = list(entrances(configuration))
    for rule in clear:
        action = configuration.actions.get(rule.action)
        if action is None or action.kind != "relay" or action.backup or action.domain:
            continue  # relay domain knows where to send mail of its domains only
        found = _open(rule, ruleset, tables, doors)
        if found is not None:
            yield _finding(rule, *found, _remedy(rule, tables, configuration))


def _open(
    rule: MatchRule, ruleset: Ruleset, tables: Tables, doors: list[Listener]
) -> tuple[Listener, Guise, Crowd] | None:
    """Return who gets through a rule, as what, and where."""
    for door in doors:
        for guise in strangers.guises(rule, ruleset, tables, [door.tag]):
            for crowd in strangers.crowds(rule, tables, family(door)):
                if _through(rule, ruleset, guise, crowd):
                    return door, guise, crowd
    return None


def _through(rule: MatchRule, ruleset: Ruleset, guise: Guise, crowd: Crowd) -> bool:
    count, left = 0, len(crowd.sources)
    for source in crowd.sources:
        if count + left < crowd.enough:
            return False
        left -= 1
        envelope = guise.envelope(source)
        try:
            count += ruleset.holds(rule, envelope) and ruleset.first(envelope) is rule
        except Unsure:
            continue
    return count >= max(1, crowd.enough)


def _finding(rule: MatchRule, door: Listener, guise: Guise, crowd: Crowd, remedy: str) -> Finding:
    who = "anybody" if crowd.network is None else f"anybody in {crowd.network}"
    says = []
    if guise.helo != strangers.HELO:
        says.append(f"says HELO {guise.helo}")
    if guise.sender != strangers.SENDER:
        says.append(f"gives the sender <{guise.sender.removeprefix('@')}>")
    if any(each.what == "rdns" for each in conditions(rule)):
        known = guise.rdns in (strangers.RDNS, strangers.NAMELESS)
        says.append("has any name in the DNS" if known else f"has a PTR record {guise.rdns}")
    if says:
        who += f" who {' and '.join(says)}"
    fault = f"an open relay: {who} may send mail to all the world through port {door.port}"
    rdns = guise.rdns not in (strangers.RDNS, strangers.NAMELESS)
    small = crowd.network is not None and crowd.network.prefixlen == 8
    say = warning if rdns or small else error
    return say("open-relay", rule.place, fault, _WHY, remedy)


def _remedy(rule: MatchRule, tables: Tables, configuration: Configuration) -> str:
    """Return what to write: another rule, or a smaller network where the rule names one."""
    found = strangers.huge(rule, tables)
    if not found:
        return f'match auth from any for any action "{rule.action}"'
    table, network = found[0]
    definition = configuration.tables.get(table.name)
    place = (definition.file if definition else "") or "this rule"
    if definition and not definition.file:
        place = f"the table {table.name}"
    return f"take {network} out of {place}, or correct its prefix length"
