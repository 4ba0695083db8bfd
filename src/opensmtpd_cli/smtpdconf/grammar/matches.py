"""The directive ``match``."""

from opensmtpd_cli.smtpdconf.directives import Condition, MatchRule
from opensmtpd_cli.smtpdconf.grammar.conditions import with_or_without, with_table
from opensmtpd_cli.smtpdconf.grammar.words import Words


def match(words: Words) -> MatchRule | None:
    """Return the record of ``match``; None where it says neither ``action`` nor ``reject``."""
    conditions: list[Condition] = []
    action = None
    while words.more() and action is None:
        if words.follows("reject"):
            action = ""
        elif words.follows("action"):
            action = words.word() or None
        elif condition := _condition(words):
            conditions.append(condition)
    if action is None:
        words.understood = False
        return None
    return MatchRule(words.place, action, tuple(conditions))


def _condition(words: Words) -> Condition | None:
    negated = words.mark("!")
    match words.keyword():
        case "tls":
            return Condition("tls", negated=negated)
        case "auth":
            return with_or_without(words, "auth", negated=negated)
        case "tag" | "helo" | "mail-from" | "rcpt-to" as kind:
            return with_table(words, kind, negated=negated)
        case "from":
            return _from(words, negated)
        case "for":
            return _for(words, negated)
    words.understood = False
    return None


def _from(words: Words, negated: bool) -> Condition | None:
    match words.keyword():
        case "any" | "local" | "socket" as what:
            return Condition("from", what, negated)
        case "src" | "mail-from" as what:
            return with_table(words, "from", what, negated=negated)
        case "rdns" | "auth" as what:
            return with_or_without(words, "from", what, negated=negated)
    words.understood = False
    return None


def _for(words: Words, negated: bool) -> Condition | None:
    match words.keyword():
        case "any" | "local" as what:
            return Condition("for", what, negated)
        case "domain" | "rcpt-to" as what:
            return with_table(words, "for", what, negated=negated)
    words.understood = False
    return None
