"""The model of smtpd that is nearest to an installed smtpd."""

from collections.abc import Sequence

from opensmtpd.testing.model.registry import RELEASES


def of(installed: Sequence[int]) -> str:
    """Return the newest version with a model that is no newer than the installed smtpd.

    It is the newest of all where none is installed (an empty version), and the oldest where smtpd
    is older than all.
    """
    return around(installed)[0]


def around(installed: Sequence[int]) -> list[str]:
    """Return that version, and the next newer one where there is no model of the installed smtpd.

    What both take, the one between them takes, too; what neither takes, it does not take.
    """
    names = list(RELEASES)
    if not installed:
        return names[-1:]
    known = [tuple(map(int, name.split(".")))[:2] for name in names]
    older = [at for at, version in enumerate(known) if version <= tuple(installed[:2])]
    at = older[-1] if older else 0
    exact = known[at] == tuple(installed[:2]) or not older
    return names[at : at + 1 if exact else at + 2]
