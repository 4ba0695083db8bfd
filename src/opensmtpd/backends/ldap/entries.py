"""Entries of the directory as rows.

An entry is a list of values for each attribute that was asked for, in that order. Where several
entries match, the last one that has all attributes is the row (``ldap_query`` in ``table_ldap.c``).
"""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from opensmtpd.table import to_str

LdapEntry: TypeAlias = list[list[str]]


def entry(found: Mapping[str, Sequence[bytes]], attributes: Sequence[str]) -> LdapEntry:
    """Return an entry as libldap has it, with these attributes; their case does not matter."""
    if len(found) == 1 and len(attributes) == 1:  # most often
        [(name, values)] = found.items()
        same = name == attributes[0] or name.lower() == attributes[0].lower()
        return [[to_str(value) for value in values] if same else []]
    by_name = {name.lower(): values for name, values in found.items()}
    return [[to_str(value) for value in by_name.get(each.lower(), ())] for each in attributes]


def first_values(entries: Sequence[LdapEntry]) -> list[str] | None:
    """Return the first value of each attribute, of the last entry that has all; None if none has.

    An attribute that is empty is none.
    """
    for each in reversed(entries):
        row = [next(filter(None, values), "") for values in each]
        if all(row):
            return row
    return None


def all_values(entries: Sequence[LdapEntry]) -> list[str]:
    """Return all values of all entries, but for empty ones."""
    return [value for each in entries for values in each for value in values if value]
