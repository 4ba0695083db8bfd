"""Options that several commands have."""

import math
from typing import Any

import click

NEWEST = "7.9.0"
"""The newest smtpd whose tables are known here."""


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
