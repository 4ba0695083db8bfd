"""What the program says beside its results: on stderr, and not with --quiet."""

import sys

import click

from opensmtpd.operator.terminal import shown


def quiet() -> bool:
    """Whether the command line says --quiet."""
    context = click.get_current_context(silent=True)
    return bool(context and context.find_root().params.get("quiet"))


def note(text: str) -> None:
    """Say something that is good to know."""
    if not quiet():
        click.echo(shown(text), err=True)


def complain(text: str) -> None:
    """Say what is wrong, with --quiet too."""
    click.echo(shown(text), err=True)


def progress_wanted() -> bool:
    """Whether a progress bar would be seen."""
    return sys.stderr.isatty() and not quiet()
