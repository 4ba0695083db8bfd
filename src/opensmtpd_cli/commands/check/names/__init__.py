"""Checkers of the names of the server in the DNS, and its certificates."""

from opensmtpd_cli.commands.check.server import Checker

CHECKERS: tuple[Checker, ...] = ()
