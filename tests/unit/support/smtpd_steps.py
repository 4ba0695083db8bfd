"""The modelled smtpd with a registered filter that the test plays itself."""

import re

from opensmtpd.testing import SmtpClient, Smtpd

ALL_PHASES = (
    b"connect helo ehlo starttls auth mail-from rcpt-to data data-line rset quit noop commit"
)


def started(version: str = "7.6.0", phases: bytes = ALL_PHASES, places: int = 1) -> Smtpd:
    smtpd = Smtpd(version, places=places)
    lines = [b"register|report|smtp-in|*\n"]
    lines += [b"register|filter|smtp-in|%s\n" % phase for phase in phases.split()]
    smtpd.receive(b"".join(lines) + b"register|ready\n")
    smtpd.data_to_send()
    return smtpd


def sent(smtpd: Smtpd) -> list[str]:
    """Return what smtpd wrote, without version, time, direction, ids."""
    lines = smtpd.data_to_send().decode("latin-1").splitlines()
    short = [re.sub(r"^(report|filter)\|[^|]*\|[^|]*\|smtp-in\|", r"\1 ", line) for line in lines]
    return [re.sub(r"\|[0-9a-f]{16}(?=\||$)", "", line) for line in short]


def proceed(smtpd: Smtpd, client: SmtpClient, text: bytes = b"proceed", place: int = 0) -> None:
    token = smtpd.token(client.phase, place)
    smtpd.receive(b"filter-result|%s|%s|%s\n" % (client.id, token, text))


def echo(smtpd: Smtpd) -> None:
    """Send all data lines back."""
    for line in smtpd.data_to_send().split(b"\n"):
        fields = line.split(b"|", 7)
        if fields[0] == b"filter" and fields[4] == b"data-line":
            smtpd.receive(b"filter-dataline|%s|%s|%s\n" % tuple(fields[5:]))


def greeted(smtpd: Smtpd) -> SmtpClient:
    client = smtpd.connect()
    if client.waiting:
        proceed(smtpd, client)
    client.ehlo()
    if client.waiting:
        proceed(smtpd, client)
    return client
