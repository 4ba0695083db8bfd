"""The options that every plugin has, and the one style of their parsers."""

import argparse
import os
import sys
from collections.abc import Callable
from typing import Any, NoReturn, TypeAlias, TypeVar

from opensmtpd import log
from opensmtpd.errors import ConfigError, nearest

__all__ = ["filter_parser", "seconds", "size", "table_parser", "typed"]

_Add: TypeAlias = Callable[..., argparse.Action]

T = TypeVar("T")
DISTRIBUTION = "opensmtpd-plugins"
DEADLINE_MAX = 240.0
"""Seconds for an answer, at most: 0.8 of what smtpd announces (SMTPD_SESSION_TIMEOUT)."""
SPARE = 5.0
"""Seconds before --deadline when a filter that waits for others decides, and not --on-failure."""


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, without the usage: it lands in smtpd's log."""

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Return the namespace of a command line."""
        options, rest = self.parse_known_args(args, namespace)
        unknown = next((each for each in rest if each[:1] == "-"), None)
        if unknown is not None:
            name = unknown.partition("=")[0]  # a value may be no business of the log
            long = [each[2:] for each in self._option_string_actions if each[:2] == "--"]
            near = nearest(name.lstrip("-"), long)
            remedy = f"did you mean --{near}?" if near else "--help lists all"
            self.error(f"there is no option {name}; {remedy}")
        if rest:
            self.error(f"unrecognized arguments: {' '.join(rest)}; remove them")
        return options

    def error(self, message: str) -> NoReturn:
        """Write an error of the command line to the log, and exit with status 2."""
        log.to_syslog(message)
        self.exit(2, f"{self.prog}: {message}\n")


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Formats the help to the width of the terminal.

    argparse makes a formatter for each option, and asks shutil for the width, which loads zlib,
    bz2 and lzma: a twentieth of the time until a plugin is ready.
    """

    def __init__(self, *args: Any, **more: Any) -> None:
        more.setdefault("width", _columns() - 2)
        super().__init__(*args, **more)


def _columns() -> int:
    """Return the width of the terminal, 80 where there is none, as shutil does."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns) > 0:
        return int(columns)
    try:
        return os.get_terminal_size(1).columns or 80
    except OSError:
        return 80


class _Version(argparse.Action):
    """Prints the version. Asked only here, because to know it takes longer than to start."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any, **__: Any) -> None:
        from importlib.metadata import version  # noqa: PLC0415  see above

        print(f"{parser.prog} ({DISTRIBUTION} {version(DISTRIBUTION)})")
        sys.exit(0)


def typed(read: Callable[[str], T]) -> Callable[[str], T]:
    """Return ``read`` as the type of an option: its ConfigError becomes one of the command line."""

    def parse(text: str) -> T:
        try:
            return read(text)
        except ConfigError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return parse


def seconds(text: str) -> float:
    """Return a positive number of seconds. Raises argparse.ArgumentTypeError for other text."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e9:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return value


def _deadline(text: str) -> float:
    """Return the time for an answer: no other option may go by more than smtpd waits."""
    return min(seconds(text), DEADLINE_MAX)


def patience(deadline: float) -> float:
    """Return the seconds that a filter may wait for others, of those for an answer."""
    return max(0.9 * deadline, deadline - SPARE)


def size(text: str) -> int:
    """Return a number of bytes, which ``K``, ``M`` or ``G`` multiplies by 1024 and its powers.

    Raises argparse.ArgumentTypeError for other text.
    """
    unit = text[-1:] if text[-1:] in _UNITS else ""
    number = text.removesuffix(unit)
    if not (number.isascii() and number.isdecimal() and len(number) <= 12):
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 512M or 2G")
    return int(number) * _UNITS[unit]


_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def common(
    prog: str, description: str, epilog: str, whose: str
) -> tuple[argparse.ArgumentParser, _Add]:
    options = _Parser(
        prog=prog,
        description=description,
        epilog=epilog,
        formatter_class=_Formatter,
        conflict_handler="resolve",  # the originals have a -h of their own; --help stays
        allow_abbrev=False,  # an option that comes later must not change what a line means today
    )
    add = options.add_argument_group(f"options that every {whose} has").add_argument
    add("-n", "--check", action="store_true", help="check the configuration and exit")
    add("--debug", action="store_true", help="log the traceback of each failure, too")
    add(
        "-V",
        "--version",
        action=_Version,
        nargs=0,
        default=argparse.SUPPRESS,
        help="print the version",
    )
    return options, add


def filter_parser(
    prog: str, description: str, epilog: str = "", *, deadline: float = 60.0
) -> argparse.ArgumentParser:
    """Return the parser of a filter, with the options that all filters share.

    ``deadline`` is in seconds, the default of that option.

    Its namespace holds ``deadline`` (float, seconds, DEADLINE_MAX at most), ``on_failure``
    (``"tempfail"`` or ``"pass"``), ``spool_max`` (int, bytes), ``message_max`` (int, bytes, or
    None), ``no_sandbox``, ``check`` and ``debug`` (bool).
    """
    options, add = common(prog, description, epilog, "filter")
    add(
        "--deadline",
        type=_deadline,
        default=deadline,
        metavar="SECONDS",
        help=f"answer each request within this time (default {deadline:g}, and never more than 0.8"
        " of the session timeout that smtpd announces)",
    )
    add(
        "--on-failure",
        choices=("tempfail", "pass"),
        default="tempfail",
        help="what becomes of a command or a message when this filter itself fails: 451, so that"
        " the client tries again (default), or let it pass untouched",
    )
    add(
        "--spool-max",
        type=size,
        default="1G",
        metavar="SIZE",
        help="let the messages that wait in files take so much of the disk (default 1G); the client"
        " of one for which there is no more room is answered 451",
    )
    add(
        "--message-max",
        type=size,
        metavar="SIZE",
        help="refuse larger messages with 552 (default: smtpd's max-message-size is the only"
        " bound)",
    )
    add(
        "--no-sandbox",
        action="store_true",
        help="keep all rights that the filter does not need, to find out what the sandbox of the"
        " system refuses it",
    )
    return options


def table_parser(prog: str, description: str, epilog: str = "") -> argparse.ArgumentParser:
    """Return the parser of a table. smtpd gives it one argument, the path in ``TYPE:/path``.

    Its namespace holds ``path`` (str), ``check`` and ``debug`` (bool).
    """
    options, _ = common(prog, description, epilog, "table")
    options.add_argument("path", metavar="FILE", help="what stands behind the colon in smtpd.conf")
    return options
