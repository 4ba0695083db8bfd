"""``opensmtpd-plugins authenticate``: what filter-auth would say of a message, and why."""

import json
import math
import socket
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import click

from opensmtpd.dns import Lookup
from opensmtpd.dns.servers import ServerAddress
from opensmtpd.errors import ConfigError
from opensmtpd.mail.client import Client, IPAddress, rdns
from opensmtpd.mail.inbound.disposition import dispose
from opensmtpd.mail.inbound.findings import Findings
from opensmtpd.mail.inbound.identities import spf_results
from opensmtpd.mail.inbound.judgement import Judgement, judge
from opensmtpd.mail.inbound.rules import InboundRules
from opensmtpd.mail.policy.iprev import look_up
from opensmtpd_cli import lookups, terminal
from opensmtpd_cli.commands.authenticate.assessment import Assessment
from opensmtpd_cli.commands.authenticate.judge import opinions, published
from opensmtpd_cli.commands.authenticate.message import Message, split
from opensmtpd_cli.commands.authenticate.recorder import DnsRecorder
from opensmtpd_cli.commands.authenticate.text import tell
from opensmtpd_cli.options import ADDRESS, IP, RDNS, UNKNOWN, WORD, ClientArgument
from opensmtpd_cli.output import note

RULES = InboundRules(enforce=True)


def _moment(text: str) -> int:
    """Read a time: seconds since 1970, or ISO 8601, which is UTC without a zone."""
    try:
        if text.isascii() and text.isdigit():
            return int(text)
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no time; write 2026-11-29T12:00:00") from None
    return math.floor((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def _verify(claims: list[Any]) -> Sequence[Any]:
    """Return what a worker of filter-auth replies to claims. Raises ConfigError."""
    try:
        from opensmtpd.mail.dkim.verify import keys_worker  # noqa: PLC0415  slow to import
    except ImportError as error:
        remedy = "pip install 'opensmtpd-plugins[dkim]'"
        raise ConfigError(f"verifying signatures needs {error.name}", remedy=remedy) from None
    return keys_worker.PublicKeyWorker().handle(claims)


def _judged(message: Message, client: Client, ask_name: bool, now: int) -> Lookup[Findings]:
    """Return all results; ``ask_name`` has the DNS say what the client is called."""
    if ask_name and client.address is not None:
        client = yield from look_up(client, client.address)
    spf = spf_results(client, socket.getfqdn(), now)
    judgement = Judgement(RULES, client, now)
    return (yield from judge(judgement, spf, message.header, message.body, _verify))


def authenticate(
    message: Message, client: Client, ask_name: bool, now: int, dns: DnsRecorder, within: float
) -> Assessment:
    """Judge a message. Raises ConfigError."""
    found = dns.result(_judged(message, client, ask_name, now), within)
    return Assessment(found, dispose(found, RULES), socket.getfqdn(), dict(dns.replies))


def _client_of(address: IPAddress | None, name: bytes | None, helo: bytes, sender: bytes) -> Client:
    """Return the client that the options describe; its name leads back to it if it has one."""
    verdict = "error" if name is None else "fail" if name == UNKNOWN else "pass"
    return Client(address, None, rdns(name or UNKNOWN), verdict, helo, sender)


@click.command("authenticate", short_help="Say what filter-auth makes of a message, and why.")
@click.option(
    "--client",
    "address",
    type=IP,
    metavar="IP",
    help="Where the message comes from; without it, SPF is not judged.",
)
@click.option(
    "--helo", type=WORD, default=b"", metavar="NAME", help="What the client called itself."
)
@click.option(
    "--from",
    "sender",
    type=ADDRESS,
    default=b"",
    metavar="ADDRESS",
    help="The sender of the envelope; without it, that of a bounce.",
)
@click.option(
    "--rdns",
    "name",
    type=RDNS,
    metavar="NAME",
    help="The name of the client, '<unknown>' for none; without it, the DNS is asked.",
)
@click.option(
    "--time",
    "now",
    type=ClientArgument("time", _moment),
    metavar="TIME",
    help="Judge as at this time, as 2026-11-29T12:00:00 (UTC) or in seconds since 1970.",
)
@lookups.nameserver
@lookups.deadline("Time for all questions to the DNS.")
@click.option(
    "--judge",
    "judge_name",
    type=click.Choice(["dkimpy"]),
    help="Say as well what another implementation of DKIM and ARC makes of it.",
)
@click.option("--json", "as_json", is_flag=True, help="Print all of it as JSON.")
def command(
    address: IPAddress | None,
    helo: bytes,
    sender: bytes,
    name: bytes | None,
    now: int | None,
    servers: tuple[ServerAddress, ...],
    within: float,
    judge_name: str | None,
    as_json: bool,
) -> None:
    """Judge the message on standard input as filter-auth --enforce does, and say why.

    It may be any message, and its signatures and its author are judged as they are. What SPF says
    depends on the client and the envelope that came with it: give --client, --helo and --from. An
    empty message is judged, too, for the sake of these.
    """
    dns = DnsRecorder(lookups.resolver(servers, within))
    client = _client_of(address, name, helo, sender)
    message = split(_read())
    moment = int(time.time()) if now is None else now
    assessment = authenticate(message, client, name is None, moment, dns, within)
    if judge_name:
        said = opinions(message.crlf, lambda each: dns.result(published(each), within))
        assessment = assessment._replace(opinions=said)
    if as_json:
        terminal.say(json.dumps(assessment.data(), indent=2))
    else:
        tell(assessment)


def _read() -> bytes:
    """Return what is on standard input."""
    if sys.stdin.isatty():
        note("the message is read from the terminal, up to the end of it (Ctrl-D)")
    return sys.stdin.buffer.read()
