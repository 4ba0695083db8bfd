"""Where the zone of a name may begin: what to ask for a SOA. Few names, for each is a question."""

from collections.abc import Iterator

DEPTH = 4
"""Zones within zones that are looked for at most."""
_NETWORKS = {".in-addr.arpa": (8, (24, 16, 8)), ".ip6.arpa": (4, (64, 56, 48, 32))}
"""Bits of a label, and of the networks that have reverse zones of their own."""


def above(name: str) -> tuple[Iterator[str], bool]:
    """Return the names above a name, and whether the first of them that is a zone is the name's.

    Else the last is: in that case there is nothing to be looked for below one that is none.
    """
    for suffix, (width, networks) in _NETWORKS.items():
        if name.endswith(suffix):
            # Upwards: zones lie in zones with levels between them that are none.
            labels = name.removesuffix(suffix).split(".")
            sizes = (bits // width for bits in networks)
            return (".".join(labels[-n:]) + suffix for n in sizes if n < len(labels)), True
    # Downwards, from two labels (fewer are a registry's): so a DNS list is asked for little more
    # than its own name, whatever addresses are looked up in it.
    labels = name.split(".")
    starts = range(len(labels) - 2, 0, -1)[:DEPTH]
    return (".".join(labels[at:]) for at in starts), False
