"""Checkers of the rules of smtpd.conf, and what they let happen."""

from opensmtpd_cli.commands.check.server import Checker

CHECKERS: tuple[Checker, ...] = ()
