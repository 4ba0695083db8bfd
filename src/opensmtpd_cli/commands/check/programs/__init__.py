"""Checkers of the programs of filters and tables, with their users and files."""

from opensmtpd_cli.commands.check.server import Checker

CHECKERS: tuple[Checker, ...] = ()
