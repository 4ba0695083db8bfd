"""The model of smtpd that is nearest to an installed smtpd."""

from collections.abc import Sequence

from opensmtpd.testing.model.registry import RELEASES


def of(installed: Sequence[int]) -> str:
    """Return the newest version with a model that is no newer than the installed smtpd.

    It is the newest of all where none is installed (an empty version), and the oldest where smtpd
    is older than all.
    """
    oldest, *newer = RELEASES
    for name in reversed(newer):
        if not installed or tuple(installed) >= tuple(map(int, name.split("."))):
            return name
    return oldest
