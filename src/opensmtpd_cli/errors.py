"""Exceptions that leave the folder where they are raised, besides those of ``opensmtpd.errors``."""


class Stopped(Exception):
    """smtpd died, or waits without end: the outcome, and the effect on smtpd."""

    def __init__(self, outcome: str, effect: str) -> None:
        self.outcome, self.effect = outcome, effect
        super().__init__(outcome)


class Unsure(Exception):
    """smtpd may find a key in a table, or not: its rows are not known, or cannot be compared."""
