"""The smtpd.conf in which a command looks up names that it is given."""

from collections.abc import Callable
from typing import Literal, NamedTuple

import click
from click.shell_completion import CompletionItem

from opensmtpd.errors import ConfigError, did_you_mean
from opensmtpd_cli.smtpdconf import parser
from opensmtpd_cli.smtpdconf.configuration import Configuration
from opensmtpd_cli.system import smtpd_conf

Named = Literal["table", "filter"]


class OwnConf(NamedTuple):
    """A smtpd.conf; ``configuration`` is None, and ``fault`` says why, where it cannot be read."""

    path: str
    configuration: Configuration | None
    fault: str = ""

    def names(self, what: Named) -> list[str]:
        """Return the names of its tables, or filters."""
        if self.configuration is None:
            return []
        tables, filters = self.configuration.tables, self.configuration.filters
        return list(tables) if what == "table" else list(filters)

    def lacks(self, what: Named, name: str) -> str:
        """Return the text of an error: it has no table, or no filter, of this name."""
        if self.configuration is None:
            return f"there is no {what} {name}: {self.fault}"
        return f"{self.path} has no {what} {name}{did_you_mean(name, self.names(what))}"


def read(conf: str | None) -> OwnConf:
    """Read the file that is given, or this system's. Raises ConfigError for one that is given."""
    if conf is not None:
        return OwnConf(conf, parser.read(conf))
    path = smtpd_conf.usual_path()
    try:
        return OwnConf(path, parser.read(path))
    except ConfigError as error:
        fault = ConfigError(error.message, path=error.path, line=error.line)
        return OwnConf(path, None, str(fault))


def complete(
    what: Named,
) -> Callable[[click.Context, click.Parameter, str], list[CompletionItem]]:
    """Return what completes the names of tables, or of filters."""

    def names(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        try:
            every = read(ctx.params.get("conf")).names(what)
        except ConfigError:
            return []
        return [CompletionItem(name) for name in every if name.startswith(incomplete)]

    return names
