"""Remarks and complaints on stderr, beside the results. --quiet leaves the remarks out."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from opensmtpd.errors import ConfigError
from opensmtpd_cli.terminal import shown


def quiet() -> bool:
    """Return whether the command line says --quiet."""
    context = click.get_current_context(silent=True)
    return bool(context and context.find_root().params.get("quiet"))


def note(text: str) -> None:
    """Say something that is good to know."""
    if not quiet():
        click.echo(shown(text), err=True)


def complain(text: str) -> None:
    """Say what is wrong, with --quiet too."""
    click.echo(shown(text), err=True)


def fail(text: str, ctx: click.Context | None = None) -> None:
    """Say why a command does not do its work, behind the name of the program."""
    context = ctx or click.get_current_context()
    complain(f"{context.find_root().info_name}: {text}")


@contextmanager
def printing(path: str, done: str, remedy: str) -> Iterator[None]:
    """Say what was done and what to do where the results cannot be printed. Raises ConfigError."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has enough
        raise
    except OSError as error:
        fault = f"{done} could not be printed: {error.strerror}"
        raise ConfigError(fault, path=path, remedy=remedy) from None


def forget_unwritten() -> None:
    """Drop results that cannot be written: that has been told, and Python would tell it again."""
    try:
        sys.stdout.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def progress_wanted() -> bool:
    """Return whether a progress bar would be seen."""
    return sys.stderr.isatty() and not quiet()
