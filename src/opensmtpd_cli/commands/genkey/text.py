"""The text that ``genkey`` prints: results on standard output, remarks on standard error."""

import shlex
from collections.abc import Iterator, Sequence
from datetime import date, timedelta

import click

from opensmtpd.errors import ConfigError
from opensmtpd.mail.dkim import record
from opensmtpd.mail.dkim.keys.key import RSA
from opensmtpd.mail.dkim.keys.key_table import KeyTableEntry
from opensmtpd_cli.commands.genkey.key_file import USER
from opensmtpd_cli.output import note
from opensmtpd_cli.smtpdconf.lexer import written

SEEN = timedelta(days=1)
"""Time to live of most records, at most."""
QUEUED = timedelta(days=10)
"""Time that a signature may wait: 4 days in smtpd's queue (SMTPD_QUEUE_EXPIRY), then 5 in that of
another server (RFC 5321 section 4.5.4.1), and one to be sure.
"""
RELOAD = f"pkill -HUP -u {USER} -f filter-dkimsign"
"""By its command line: the user also runs the part of smtpd that has started the filter and waits
for it (``fork_filter_process``). That ends at SIGHUP, and smtpd with it.
"""


def test_line(domain: str, selector: str, path: str) -> str:
    """Return the command that compares a key with its record."""
    named = ["--domain", domain, "--selector", selector]
    return shlex.join(["opensmtpd-plugins", "testkey", path, *named])


def conf_line(domain: str, selector: str, path: str, algorithm: str) -> str:
    """Return the filter's line for smtpd.conf. Raises ConfigError for a path that it cannot hold.

    smtpd has /bin/sh run what is in quotes.
    """
    command = ["filter-dkimsign", "-d", domain, "-s", selector, "-k", path]
    if algorithm != RSA:
        command[1:1] = ["-a", algorithm]
    try:
        if not path.isprintable():
            raise ConfigError("it holds what does not print")
        quoted = written(shlex.join(command))
    except ConfigError:
        remedy = "choose another with --key"
        raise ConfigError("smtpd.conf has no way to name it", path=path, remedy=remedy) from None
    return f'filter "dkimsign" proc-exec {quoted} user {USER} group {USER}'


def publish(domain: str, name: str, text: str) -> None:
    """Print a TXT record in both forms."""
    note("Publish this record, in a zone file:")
    click.echo(f"{record.zone_form(name, text)}\n")
    note(f"or in a web form, its name (without .{domain} if the form adds that) and its value:")
    click.echo(f"{name}\n{text}\n")


def steps(table: str, old: Sequence[KeyTableEntry], new: str, today: date) -> Iterator[str]:
    """Yield what to do after a rotation, and when; ``old`` are the lines that may go."""
    yield f"1. {today}, today: publish {new}. The filter signs as before so far."
    yield "2. As soon as all name servers of the domain show it, which"
    yield f"   {shlex.join(['opensmtpd-plugins', 'testkey', table])}"
    yield "   asks, have the filter read its table:"
    yield f"   {RELOAD}"
    yield "   (no process of smtpd itself: each ends at SIGHUP), or restart smtpd. Then both sign."
    if not old:
        yield "   The keys for the other algorithm stay: not every verifier knows both."
        return
    gone = today + SEEN
    numbers = ", ".join(str(entry.line) for entry in old)
    selectors = ", ".join(entry.selector for entry in old)
    names = ", ".join(f"{entry.selector}._domainkey.{entry.domain}" for entry in old)
    what = f"line {numbers} (selector {selectors})"
    yield f"3. From {gone} on, if the record's TTL is a day at most (else that much later), take"
    yield f"   {what} out of {table},"
    yield "   and have the filter read it again, as above."
    yield f"4. From {gone + QUEUED} on, {QUEUED.days} days after that, unpublish {names}"
    yield "   and remove its key file, if no other line names it. Until then, mail that it has"
    yield "   signed may wait: 4 days in smtpd's queue, and 5 in that of a server on its way."
