"""The directives ``filter`` and ``proc``."""

from opensmtpd_cli.smtpdconf.directives import Condition, FilterDefinition, ProcDefinition
from opensmtpd_cli.smtpdconf.filter_line import PARAMETERS, FilterEntry, typed
from opensmtpd_cli.smtpdconf.grammar.conditions import with_or_without, with_table
from opensmtpd_cli.smtpdconf.grammar.words import Words


def filter_definition(words: Words) -> FilterDefinition | None:
    """Return the record of ``filter``; None where it is none that is known here.

    ``entry`` is that of proc-exec only: that of ``proc`` stands in another directive.
    """
    name, kind = words.word(), words.keyword()
    known = FilterDefinition(words.place, name, "chain", words.ahead())
    match kind:
        case "proc-exec":
            return known._replace(kind="proc-exec", entry=_entry(name, words))
        case "proc":
            return known._replace(kind="proc", proc=words.word())
        case "phase":
            return _phase(known, words)
        case "chain":
            return known._replace(chain=words.names())
    words.understood = False
    return None


def proc(words: Words) -> ProcDefinition:
    """Return the record of ``proc``."""
    name = words.word()
    return ProcDefinition(words.place, name, _entry(name, words))


def _entry(name: str, words: Words) -> FilterEntry:
    """Take the command, and ``user``, ``group`` and ``chroot`` in any order."""
    entry = FilterEntry(name, typed(words.word()))
    while words.more():
        parameter = words.keyword()
        if parameter in PARAMETERS:
            entry = entry._replace(**{parameter: typed(words.word())})
        else:
            words.understood = False
    return entry


def _phase(known: FilterDefinition, words: Words) -> FilterDefinition:
    phase = words.keyword()
    if not words.follows("match"):
        words.understood = False
    condition = _condition(words)
    decision = words.keyword()
    if decision in ("reject", "disconnect", "rewrite", "report"):
        words.word()
    elif decision not in ("junk", "bypass"):
        words.understood = False
    return known._replace(kind="phase", phase=phase, condition=condition, decision=decision)


def _condition(words: Words) -> Condition | None:
    negated = words.mark("!")
    match words.keyword():
        case "fcrdns":
            return Condition("fcrdns", negated=negated)
        case "rdns" | "auth" as kind:
            return with_or_without(words, kind, negated=negated)
        case "src" | "helo" | "mail-from" | "rcpt-to" as kind:
            return with_table(words, kind, negated=negated)
    words.understood = False
    return None
