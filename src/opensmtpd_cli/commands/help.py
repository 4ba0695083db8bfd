"""``opensmtpd-plugins help``: the options of a plugin, wherever it is installed."""

import subprocess

import click

from opensmtpd_cli.plugin import table_program


@click.command("help", short_help="Show the options of a filter or a table.")
@click.argument("program", metavar="PROGRAM")
@click.pass_context
def command(ctx: click.Context, program: str) -> None:
    """Show what PROGRAM, a filter, a table or a command, says to --help.

    The directory where smtpd looks for filters and tables is in nobody's PATH.
    """
    group = ctx.find_root()
    known = group.command
    if isinstance(known, click.Group) and (ours := known.get_command(ctx, program)):
        click.echo(ours.get_help(click.Context(ours, group, program)))
        return
    path = table_program.place(program)
    # A program that does not know --help may read what smtpd says: give it the end of it.
    ctx.exit(subprocess.run([path, "--help"], stdin=subprocess.DEVNULL, check=False).returncode)
