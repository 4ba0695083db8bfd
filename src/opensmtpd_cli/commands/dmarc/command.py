"""``opensmtpd-plugins dmarc``: its two commands."""

import click

from opensmtpd_cli.commands.dmarc import report, show
from opensmtpd_cli.usage import CommandGroup


@click.group("dmarc", cls=CommandGroup, short_help="Report to domains, and read their reports.")
def command() -> None:
    """Aggregate reports of DMARC: those to others, and those of others about one's own domains."""


command.add_command(report.command)
command.add_command(show.command)
