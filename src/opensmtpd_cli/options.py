"""Options that several commands have."""

import math
from typing import Any

import click

from opensmtpd_cli.system.smtpd_binary import installed_version

NEWEST = "7.9.0"
"""The newest smtpd whose tables are known here."""
USUAL_VERSION = f"that of the installed smtpd, else {NEWEST}"
"""The default of ``--smtpd-version``, for ``--help``."""


def usual_version() -> str:
    """Return the version of the installed smtpd; the newest that is known where there is none."""
    found = installed_version()
    return ".".join(map(str, found)) if found else NEWEST


class Seconds(click.FloatRange):
    """A time to wait, in seconds: more than 0 and up to 3,600."""

    def __init__(self) -> None:
        super().__init__(0, 3600, min_open=True)

    def convert(self, value: Any, param: Any, ctx: Any) -> float:
        """Return the number, or fail."""
        number = float(super().convert(value, param, ctx))
        if math.isnan(number):  # which no range of click's is without
            self.fail(f"{value!r} is no time", param, ctx)
        return number
