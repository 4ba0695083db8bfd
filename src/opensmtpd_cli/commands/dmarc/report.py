"""``opensmtpd-plugins dmarc report``: tell domains of mail that claims to come from them."""

import os
import socket
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime
from typing import NamedTuple

import click

from opensmtpd.dns import Dns, gather
from opensmtpd.dns.names import is_query_name
from opensmtpd.dns.servers import ServerAddress
from opensmtpd.errors import ConfigError
from opensmtpd.mail.dmarc.reports import uris
from opensmtpd.mail.dmarc.reports.document import Reporter, compressed, document, names
from opensmtpd.mail.dmarc.reports.external import Consent, consents
from opensmtpd.mail.dmarc.reports.message import message
from opensmtpd.mail.dmarc.reports.store import DAY, DayPolicy, ReportStore
from opensmtpd_cli import completion, lookups, terminal
from opensmtpd_cli.commands.dmarc import sending
from opensmtpd_cli.database import faults
from opensmtpd_cli.output import complain, note
from opensmtpd_cli.system import acting
from opensmtpd_cli.system.new_files import NewFiles

TOGETHER = 50
"""Reports whose questions to the DNS are asked together: a name server that does not answer costs
one deadline for all of them."""
COLUMNS = ("day", "domain", "policy", "rows", "messages", "addresses", "state")


class Sending(NamedTuple):
    """The program and the resolver that sending needs."""

    sendmail: str
    dns: Dns
    within: float
    """Seconds for the questions about TOGETHER reports."""


@contextmanager
def opened(path: str) -> Iterator[ReportStore]:
    """Open the database of filter-auth; root has the rights of its owner. Raises ConfigError."""
    try:
        os.stat(path)
    except FileNotFoundError:
        remedy = "name the file that filter-auth --reports names"
        raise ConfigError("there is no such database", path=path, remedy=remedy) from None
    except OSError as error:
        remedy = "run this as root, or as the user of filter-auth"
        raise ConfigError(f"{error.strerror}", path=path, remedy=remedy) from None
    try:
        with acting.safely(path) as real, closing(ReportStore(real)) as store:
            yield store
    except sqlite3.Error as error:
        raise faults.fault(error, path) from None


def today() -> int:
    """Return the number of this day since 1970, UTC."""
    return int(time.time()) // DAY


def _address(_ctx: object, _param: object, text: str | None) -> str | None:
    if text is not None and not uris.is_plain_address(text):
        raise click.BadParameter(f"{text!r} is no plain address")
    return text


def _name(_ctx: object, _param: object, text: str | None) -> str | None:
    if text is not None and not is_query_name(text):
        raise click.BadParameter(f"{text!r} is no name of a host")
    return None if text is None else text.lower()


def _own_name() -> str:
    """Return the full name of this host. Raises UsageError where it has none."""
    name = socket.getfqdn().lower()
    if not is_query_name(name) or "." not in name:
        raise click.UsageError(f"{name!r} is no full name; name the mail server with --receiver")
    return name


@click.command("report", short_help="Report to domains about mail that claims to come from them.")
@click.argument("database", shell_complete=completion.complete_files)
@click.option(
    "--from",
    "sender",
    metavar="ADDRESS",
    callback=_address,
    help="Where reports come from, and whom to contact about them.",
)
@click.option("--organization", metavar="NAME", help="Who reports; if not given, the receiver.")
@click.option("--contact", default="", metavar="TEXT", help="Another contact, a URL say.")
@click.option(
    "--receiver",
    metavar="NAME",
    callback=_name,
    help="The name of the server that has received the mail; if not given, that of this host.",
)
@click.option(
    "--day", type=click.DateTime(["%Y-%m-%d"]), metavar="YYYY-MM-DD", help="This day alone, in UTC."
)
@click.option("--domain", metavar="DOMAIN", help="The reports about this domain alone.")
@click.option(
    "--print", "printed", is_flag=True, help="Print the one report that --day and --domain choose."
)
@click.option(
    "--directory",
    metavar="DIR",
    shell_complete=completion.complete_folders,
    help="Write the reports into files there.",
)
@click.option("--send", is_flag=True, help="Mail the reports to whom the domains name.")
@click.option(
    "--sendmail",
    metavar="PROGRAM",
    shell_complete=completion.complete_files,
    help="Give the mails to this program instead of sendmail.",
)
@lookups.nameserver
@lookups.deadline("Time for the questions to the DNS about 50 reports.")
@click.pass_context
def command(
    ctx: click.Context,
    database: str,
    sender: str | None,
    organization: str | None,
    contact: str,
    receiver: str | None,
    day: datetime | None,
    domain: str | None,
    printed: bool,
    directory: str | None,
    send: bool,
    sendmail: str | None,
    servers: list[ServerAddress],
    within: float,
) -> None:
    """Write the aggregate reports of the days that are over, from the DATABASE of filter-auth.

    Without --print, --directory or --send it only lists them. A report that was written into a
    file or sent is not written or sent again. Run it with --send once a day, soon after midnight
    UTC. Another domain's address gets a report only if that domain agrees in the DNS.

    \b
      opensmtpd-plugins dmarc report --send --from dmarc@example.org \\
          --receiver mx.example.org /var/lib/opensmtpd-plugins/auth/reports.db
    """
    ways = [printed, directory is not None, send]
    if sum(ways) > 1:
        raise click.UsageError("give one of --print, --directory and --send")
    wanted = None if day is None else int(day.replace(tzinfo=UTC).timestamp()) // DAY
    with opened(database) as store:
        policies = [
            policy
            for policy in store.due(today(), done=not (directory or send))
            if wanted in (None, policy.day)
            and (domain is None or policy.published.domain == domain.lower())
        ]
        if not any(ways):
            _list(store, policies)
            return
    if sender is None:
        raise click.UsageError("give the address of the reporter with --from")
    if printed and len(policies) > 1:
        fault = f"{len(policies)} reports would be printed"
        raise click.UsageError(f"{fault}; choose one with --day and --domain, or use --directory")
    receiver = receiver or _own_name()
    reporter = Reporter(receiver, organization or receiver, sender, contact)
    if printed:
        _print(database, policies, reporter)
    elif directory is not None:
        _write(database, policies, reporter, os.path.abspath(directory))
    else:
        program = sendmail or sending.sendmail()
        way = Sending(program, lookups.resolver(servers, within), within)
        if not _send_all(database, policies, reporter, way):
            ctx.exit(1)


def _date(policy: DayPolicy) -> date:
    return datetime.fromtimestamp(policy.day * DAY, UTC).date()


def _list(store: ReportStore, policies: list[DayPolicy]) -> None:
    """Show what there is to report."""
    waiting = {each.id for each in store.due(today())}
    rows = []
    for policy in policies:
        counts = [count for count, _ in store.rows(policy)]
        addresses = [each.address for each in uris.destinations(policy.rua)]
        state = "waiting" if policy.id in waiting else "done"
        published = policy.published
        rows.append((_date(policy), published.domain, published.p, len(counts), sum(counts),
                     " ".join(addresses), state))  # fmt: skip
    terminal.table(COLUMNS, rows)


def _print(database: str, policies: list[DayPolicy], reporter: Reporter) -> None:
    for policy in policies:
        with opened(database) as store:
            text = "".join(document(policy, reporter, store.rows(policy)))
        sys.stdout.buffer.write(text.encode())
    sys.stdout.buffer.flush()


def _write(database: str, policies: list[DayPolicy], reporter: Reporter, folder: str) -> None:
    for policy in policies:
        with opened(database) as store:
            data = compressed(document(policy, reporter, store.rows(policy)))
        path = os.path.join(folder, names(policy, reporter).file)
        if not os.path.lexists(path):
            with NewFiles(force=None) as files:
                with files.new(path, lambda _: None) as file:
                    file.write(data)
                files.place()
            note(f"wrote {path}")
        with opened(database) as store:
            store.finish(policy)


def _send_all(database: str, policies: list[DayPolicy], reporter: Reporter, way: Sending) -> bool:
    """Send reports; return whether all could be handed over."""
    good = True
    for at in range(0, len(policies), TOGETHER):
        part = policies[at : at + TOGETHER]
        asked = [consents(each.published.domain, uris.destinations(each.rua)) for each in part]
        for policy, found in zip(
            part, lookups.result(gather(asked), way.dns, way.within), strict=True
        ):
            good &= _send(database, policy, found, reporter, way.sendmail)
    return good


def _send(
    database: str, policy: DayPolicy, found: list[Consent], reporter: Reporter, sendmail: str
) -> bool:
    """Send a report to all who want it and have not got it; return whether that worked."""
    domain = policy.published.domain
    about = f"{_date(policy)} {domain}"
    if not found:
        note(f"{about}: not sent: it names no address that mail could be sent to")
    for each in found:
        if each.reason:
            note(f"{about}: not sent to {each.asked.address}: {each.reason}")
    with opened(database) as store:
        data = compressed(document(policy, reporter, store.rows(policy)))
    good = True
    for to in _receivers(found):
        if to.limit is not None and len(data) > to.limit:
            note(f"{about}: not sent to {to.address}: it takes {to.limit:,} bytes at most")
            continue
        with opened(database) as store:
            if not store.claim(policy, to.address):  # before, or by another run of this command
                continue
        mail = message(
            names(policy, reporter), domain, reporter, to.address, data, datetime.now(UTC)
        )
        fault = sending.send(sendmail, reporter.email, to.address, mail)
        if not fault:
            note(f"{about}: sent to {to.address}")
            continue
        complain(f"{about}: not sent to {to.address}: {fault}")
        good = False
        with opened(database) as store:
            store.release(policy, to.address)
    if good and not any(each.later for each in found):
        with opened(database) as store:
            store.finish(policy)
    return good


def _receivers(found: list[Consent]) -> list[uris.ReportAddress]:
    """Return where a report goes, each address once."""
    return list({each.address: each for consent in found for each in consent.given}.values())
