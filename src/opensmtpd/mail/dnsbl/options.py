"""The lists on a command line: ``[[-w] [-d] [-e MASK] … LIST] …``, flags in front of their list."""

import argparse
from collections.abc import Iterable, Sequence
from itertools import islice
from math import inf
from typing import Any, NoReturn

from opensmtpd.errors import ConfigError
from opensmtpd.mail.dnsbl.lists import List, Subject, named, without_keys
from opensmtpd.mail.dnsbl.return_codes import mask
from opensmtpd.options import typed

_NONE: dict[str, Any] = {"allow": False, "subjects": [], "masks": [], "score": None, "text": None}
"""The flags of a list and their values where they are not given."""


class _AddList(argparse.Action):
    """Adds a list to ``lists``, with the flags since the last list."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, name: Any, *_: Any
    ) -> None:
        try:
            taken = _with_flags(named(name), namespace)
        except ConfigError as error:
            parser.error(str(error))
        namespace.lists = [*namespace.lists, taken]
        for flag, value in _NONE.items():
            setattr(namespace, flag, value)


def _with_flags(plain: List, flags: argparse.Namespace) -> List:
    """Return a list with its flags applied. Raises ConfigError."""
    subjects = set(flags.subjects)
    if len(subjects) > 1:
        remedy = "name it once for each of -d, --helo and -s"
        raise ConfigError(f"{plain.shown} for two things at once", remedy=remedy)
    if flags.allow and (flags.score is not None or flags.text is not None):
        remedy = "without -w, a --score below 0 speaks for a client"
        raise ConfigError(f"{plain.shown}: -w with --score or --text", remedy=remedy)
    return plain._replace(
        subject=next(iter(subjects), Subject.ADDRESS),
        allow=flags.allow,
        masks=tuple(flags.masks),
        score=1 if flags.score is None else flags.score,
        text=flags.text or "",
    )


def lists(flags: argparse.Namespace) -> Sequence[List]:
    """Return the lists of a command line.

    Raises ConfigError if there is none, or there are flags behind the last list.
    """
    if not flags.lists:
        raise ConfigError("no list to ask", remedy="name one: zen.spamhaus.org")
    if any(getattr(flags, flag) != value for flag, value in _NONE.items()):
        remedy = "flags of a list stand in front of it"
        raise ConfigError("flags without a list behind them", remedy=remedy)
    found: Sequence[List] = flags.lists
    return found


def thresholds(flags: argparse.Namespace) -> tuple[float, float]:
    """Return the scores from which mail is junk and from which it is refused; infinite for never.

    Without options, one list is enough, as in the C filter: for junk with ``-m``, else to refuse.
    Raises ConfigError.
    """
    plain = flags.junk_at is None and flags.reject_at is None
    junk = flags.junk_at or (1 if flags.mark else inf)
    refuse = flags.reject_at or (1 if plain and not flags.mark else inf)
    if refuse <= junk < inf:
        remedy = "mail that is refused cannot be junk"
        raise ConfigError(f"junk from {junk} on, refused from {refuse} on", remedy=remedy)
    return junk, refuse


def in_order(parser: argparse.ArgumentParser, words: Iterable[str]) -> list[str]:
    """Return a command line with each bare word as ``--list=WORD``.

    argparse then meets lists and flags in order, so that each flag gets to its list. ``--`` is left
    out: getopt(3) of the C filter needs it in front of the flags of a list.
    """
    valued = {
        option
        for action in parser._actions
        if action.nargs != 0
        for option in action.option_strings
    }
    ordered, rest = [], iter(words)
    for word in rest:
        if word == "--":
            continue
        ordered.append(word if word.startswith("-") else f"--list={word}")
        if _wants_value(word, valued):
            ordered += islice(rest, 1)
    return ordered


def _wants_value(word: str, valued: set[str]) -> bool:
    """Return whether the next word is the value of ``word``. Of ``-me``, the last letter counts."""
    if word.startswith("--") or not word.startswith("-"):
        return word in valued
    at = next((at for at, letter in enumerate(word) if f"-{letter}" in valued), None)
    return at == len(word) - 1


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options to a filter's parser; the namespace gets ``lists``."""
    parser.set_defaults(lists=[], **_NONE)
    group = parser.add_argument_group("lists: flags are those of the LIST behind them")
    add = group.add_argument
    # fmt: off
    add("-w", "--allow", action="store_true", help="whom it lists is spared, whatever others say")
    for names, subject, what in (
        (("-d", "--rdns"), Subject.RDNS, "the client's name in the DNS"),
        (("--helo",), Subject.HELO, "what the client calls itself"),
        (("-s", "--sender"), Subject.SENDER, "the domain of MAIL FROM"),
    ):
        add(*names, dest="subjects", action="append_const", const=subject,
            help=f"it is asked for {what}, not for the address")
    add("-e", "--expect", dest="masks", action="append", type=typed(mask), metavar="MASK",
        help="only these return codes count: 127.0.0.2, 127.0.0.[2-4], 127.0.0.[2,4,10-11];"
        " may be given several times (default all but 127.0.0.1)")
    add("--score", type=typed(_score), metavar="N",
        help="what it counts, also below 0 (default 1)")
    add("--text", metavar="TEXT", help="reply to whom is refused because of it; may begin with a"
        " reply code and name {ip} {rdns} {helo} {sender} {list} {code} {txt}")
    add("--list", action=_AddList, metavar="LIST", help="a list, as a bare LIST is")
    # fmt: on


def keep_keys(parser: argparse.ArgumentParser) -> None:
    """Remove the keys of paid lists from the parser's error messages."""
    usual = parser.error

    def error(message: str) -> NoReturn:
        usual(without_keys(message))

    setattr(parser, "error", error)  # noqa: B010  the parser is made elsewhere


def _score(text: str) -> int:
    """Return a score. Raises ConfigError."""
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 6):
        raise ConfigError(f"{text!r}: no score", remedy="write a whole number")
    return int(text)


def threshold(text: str) -> int:
    """Return a score above 0. Raises ConfigError."""
    value = _score(text)
    if value < 1:
        raise ConfigError(f"{text!r} is not above 0", remedy="write a whole number")
    return value
