"""Send mail as the guide's users and strangers would. Messages are bytes with CRLF line ends."""

import base64
import smtplib
import ssl
import subprocess
from pathlib import Path

from lab.peers.clients import CONFIRMED_PTR
from lab.root.inside import CHROOT
from lab.root.namespace import SERVER4
from lab.shows.guide import PASSWORD, Guide

Reply = tuple[int, bytes]


def compose(sender: str, recipient: str, subject: str) -> bytes:
    """Return a small message."""
    lines = (
        f"From: {sender}",
        f"To: {recipient}",
        f"Subject: {subject}",
        "Date: Tue, 03 Mar 2026 10:00:00 +0000",
        f"Message-ID: <{abs(hash((sender, recipient, subject)))}@lab.example.com>",
        "",
        "Hello,",
        ".this line begins with a dot, and the next one is but a dot",
        ".",
        "",
    )
    return "\r\n".join(lines).encode()


def trusting(guide: Guide) -> ssl.SSLContext:
    """Return a TLS context that trusts the server's own certificate and no other."""
    return ssl.create_default_context(cadata=guide.certificate)


def connect(source: str = CONFIRMED_PTR, port: int = 25, host: str = SERVER4) -> smtplib.SMTP:
    """Connect from ``source`` in clear and say EHLO."""
    client = smtplib.SMTP(
        host, port, local_hostname="client.example.net", timeout=60, source_address=(source, 0)
    )
    client.ehlo()
    return client


def plain(user: str, password: str) -> str:
    """Return the parameter of AUTH PLAIN; smtplib's own wants ASCII."""
    return base64.b64encode(f"\0{user}\0{password}".encode()).decode()


def submission(guide: Guide, user: str = "alice") -> smtplib.SMTP:
    """Connect to port 587, start TLS and authenticate."""
    client = connect(port=587)
    client.starttls(context=trusting(guide))
    client.login(user, PASSWORD)
    return client


def submissions(guide: Guide, user: str = "alice") -> smtplib.SMTP_SSL:
    """Connect to port 465 and authenticate."""
    client = smtplib.SMTP_SSL(
        SERVER4, 465, local_hostname="client.example.net", timeout=60,
        source_address=(CONFIRMED_PTR, 0), context=trusting(guide),
    )  # fmt: skip
    client.login(user, PASSWORD)
    return client


def send(client: smtplib.SMTP, sender: str, recipient: str, message: bytes) -> Reply:
    """Run one transaction; returns the reply to the final dot, or the first refusal."""
    for reply in (client.mail(sender), client.rcpt(recipient)):
        if reply[0] >= 400:
            return reply
    return client.data(message)


def sendmail(view: Path, user: str, recipient: str, message: bytes) -> None:
    """Submit locally as ``user`` through the view's own sendmail (LF line ends). Raises
    CalledProcessError.
    """
    subprocess.run(
        [CHROOT, f"--userspec={user}:{user}", view, "/usr/sbin/sendmail", recipient],
        input=message.replace(b"\r\n", b"\n"), env={}, check=True, timeout=60,
    )  # fmt: skip
