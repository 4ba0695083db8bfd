"""The conditions of ``match`` and of filters with a phase."""

from opensmtpd_cli.smtpdconf.directives import Condition
from opensmtpd_cli.smtpdconf.grammar.words import Words


def with_table(words: Words, kind: str, what: str = "", *, negated: bool) -> Condition:
    """Take ``[regex] TABLE`` behind a word that needs one, and return the condition."""
    regex = words.follows("regex")
    return Condition(kind, what, negated, words.table(), regex)


def with_or_without(words: Words, kind: str, what: str = "", *, negated: bool) -> Condition:
    """Take ``[[regex] TABLE]``, and return the condition."""
    if words.follows("regex"):
        return Condition(kind, what, negated, words.table(), regex=True)
    return Condition(kind, what, negated, words.table_or_none())
