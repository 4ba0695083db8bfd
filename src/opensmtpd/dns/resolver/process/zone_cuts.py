"""The names at which the zone of a name may begin: the resolver asks for a SOA record there.

The lists are short, because each name is a question.
"""

from collections.abc import Iterator

DEPTH = 4
"""The number of names to ask for, at most."""
_NETWORKS = {".in-addr.arpa": (8, (24, 16, 8)), ".ip6.arpa": (4, (64, 56, 48, 32))}
"""Suffix to the bits of a label, and the prefix lengths at which reverse zones usually begin."""


def above(name: str) -> tuple[Iterator[str], bool]:
    """Return the names at which the zone of ``name`` may begin, and their order.

    True means closest first: the first of the names that has a SOA record is the zone. That is so
    for reverse names, whose zones may have levels between them that are no zones.

    False means farthest first: the zone is the last name of an unbroken run, from the start, of
    names that have a SOA record. The caller stops at the first name without one.
    """
    for suffix, (width, networks) in _NETWORKS.items():
        if name.endswith(suffix):
            labels = name.removesuffix(suffix).split(".")
            sizes = (bits // width for bits in networks)
            return (".".join(labels[-n:]) + suffix for n in sizes if n < len(labels)), True
    # Two labels come first: a name of one label belongs to a registry. For the many addresses that
    # are looked up in a DNS list, this asks for little more than the list's own name.
    labels = name.split(".")
    starts = range(len(labels) - 2, 0, -1)[:DEPTH]
    return (".".join(labels[at:]) for at in starts), False
