"""``opensmtpd-plugins genkey``: a key for filter-dkimsign, and its record for the DNS."""

import os
from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING

import click

from opensmtpd.errors import ConfigError
from opensmtpd.mail.dkim import record
from opensmtpd.mail.dkim.keys import names
from opensmtpd.mail.dkim.keys.key import ED25519, RSA
from opensmtpd_cli import completion
from opensmtpd_cli.commands.genkey import key_file, rotation
from opensmtpd_cli.commands.genkey.key_table import locked
from opensmtpd_cli.commands.genkey.text import conf_line, publish, steps, test_line
from opensmtpd_cli.output import complain, note, printing
from opensmtpd_cli.system import readers
from opensmtpd_cli.system.signals import signals_held_back

if TYPE_CHECKING:
    from opensmtpd.mail.dkim.keys.generate import NewKey

ALGORITHMS = {"rsa": RSA, "ed25519": ED25519}
_LEAST, _USUAL, _MOST = 2048, 2048, 4096
MADE = "made, but its record"

today: Callable[[], date] = date.today


@click.command("genkey", short_help="Make a key for filter-dkimsign.")
@click.option("--domain", required=True, metavar="DOMAIN", help="The domain to sign for.")
@click.option("--selector", metavar="NAME", help="Publish it as NAME._domainkey.DOMAIN.")
@click.option(
    "--algorithm",
    type=click.Choice(list(ALGORITHMS)),
    help="Of the key: rsa if not given, or as the old one's with --rotate.",
)
@click.option(
    "--bits", type=int, metavar="NUMBER", help=f"Of an RSA key, {_LEAST} (the default) to {_MOST}."
)
@click.option(
    "--key",
    metavar="FILE",
    shell_complete=completion.complete_files,
    help=f"The new file; {key_file.DIRECTORY}/DOMAIN.NAME.key if not given, or beside the old"
    " key with --rotate.",
)
@click.option(
    "--rotate",
    metavar="KEYTABLE",
    shell_complete=completion.complete_files,
    help="Add the key to this key table, as the next one of DOMAIN.",
)
def command(
    domain: str,
    selector: str | None,
    algorithm: str | None,
    bits: int | None,
    key: str | None,
    rotate: str | None,
) -> None:
    """Make a private key for filter-dkimsign, in a new file; nothing is ever overwritten.

    Prints the TXT record to publish, as a zone file has it and as web forms want it, and the line
    for smtpd.conf. Run by root, the file is root's, and the group _dkimsign can read it.

    With --rotate, a line for the key is added to a key table of filter-dkimsign, below those of
    DOMAIN. Its selector is the next after the newest there (mail: mail2, 2026: 2027), or NAME.
    It prints what is to be done next, and when the old key may go.

    \b
      opensmtpd-plugins genkey --domain example.com --selector mail
      opensmtpd-plugins genkey --domain example.com --rotate /etc/mail/dkim/keytable
    """
    domain = names.check("domain", domain)
    if selector is not None:
        selector = names.check("selector", selector)
        record.name(domain, selector)
        for doubt in names.doubts(domain, selector):
            complain(f"warning: {doubt}")
    path = os.path.join(os.getcwd(), key) if key is not None else None
    wanted = None if algorithm is None else ALGORITHMS[algorithm]
    if rotate is not None:
        _rotate(os.path.join(os.getcwd(), rotate), domain, selector, wanted, bits, path)
    elif selector is None:
        raise click.UsageError("a selector is missing: give a name, as --selector mail")
    else:
        _first(domain, selector, wanted or RSA, bits, path)


def _first(domain: str, selector: str, algorithm: str, bits: int | None, key: str | None) -> None:
    path = key or key_file.named(key_file.DIRECTORY, domain, selector)
    line = conf_line(domain, selector, path, algorithm)
    new = _made(algorithm, bits)
    with signals_held_back(), key_file.new(path, new.pem):
        pass
    with printing(path, MADE, "remove this key, and try again"):
        _tell_file(path)
        publish(domain, record.name(domain, selector), new.record)
        note('Add this line to smtpd.conf, above the listen lines, and put: filter "dkimsign"')
        note("behind those of your own users. Restart smtpd when the DNS shows the record:")
        click.echo(line)
        note("This tells whether the DNS shows it:")
        note(test_line(domain, selector, path))


def _rotate(
    table: str,
    domain: str,
    selector: str | None,
    algorithm: str | None,
    bits: int | None,
    key: str | None,
) -> None:
    with locked(table) as file:
        found = rotation.succession(file.text, table, domain, algorithm)
        next = rotation.successor(found, table, file.text, selector, key)
        number = found.entries[-1].line
        line = rotation.line(found, file.text, next.selector, next.word)
        text = rotation.added(file.text, number, line)
        new = _made(found.algorithm, bits)
        with signals_held_back(), key_file.new(next.path, new.pem, lambda: file.replaced):
            file.replace(text)
    undo = f"take line {number + 1} out of {table}, remove this key, and try again"
    with printing(next.path, MADE, undo):
        _tell_file(next.path)
        note(f"added line {number + 1} to {table}: {' '.join(line.split())}")
        name = record.name(found.newest.domain, next.selector)
        publish(found.newest.domain, name, new.record)
        for step in steps(table, found.old, name, today()):
            note(step)


def _made(algorithm: str, bits: int | None) -> "NewKey":
    """Make a key. Raises ConfigError for a number of bits that is of no use."""
    if algorithm == ED25519 and bits is not None:
        raise ConfigError("an Ed25519 key has no choice of bits", remedy="leave --bits out")
    size = _USUAL if bits is None else bits
    if not _LEAST <= size <= _MOST:
        fault = f"an RSA key of {bits} bits: signers should use {_LEAST} at least, and verifiers"
        remedy = f"give --bits {_LEAST} to {_MOST}"
        raise ConfigError(f"{fault} need not know more than {_MOST} (RFC 8301)", remedy=remedy)
    try:
        from opensmtpd.mail.dkim.keys import generate  # noqa: PLC0415  what it needs may not be installed
    except ImportError as error:
        remedy = "pip install 'opensmtpd-plugins[dkim]'"
        raise ConfigError(f"keys need cryptography: {error}", remedy=remedy) from None
    return generate.ed25519() if algorithm == ED25519 else generate.rsa(size)


def _tell_file(path: str) -> None:
    if os.geteuid() == 0:
        if lacking := readers.lacking_of(key_file.USER, path):
            note(f"wrote {path}")
            complain(f"{path}: the filter cannot read it; {lacking}")
        else:
            note(f"wrote {path}: the group {key_file.USER} can read it, and nobody else but root")
    else:
        note(f"wrote {path}: you alone can read it; the user of the filter must be able to, too")
