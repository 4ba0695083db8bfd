"""The mail that carries a report (RFC 9990 section 3.5.2). No part of it is a stranger's text."""

import base64
from datetime import UTC, datetime
from email.utils import format_datetime

from opensmtpd.mail.dmarc.reports.document import Reporter, ReportNames

BASE64_LINE = 57
"""Bytes of a line in base64: 76 characters (RFC 2045 section 6.8)."""


def message(
    names: ReportNames, domain: str, reporter: Reporter, to: str, data: bytes, now: datetime
) -> bytes:
    """Return the mail, with line feeds as line ends, as sendmail takes it.

    ``domain`` is the policy domain, ``to`` the address, ``data`` the compressed report, ``now``
    the time with its zone. The addresses are plain ones (``uris``), the domains names of hosts.
    """
    receiver = reporter.receiver
    days = " to ".join(
        datetime.fromtimestamp(each, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        for each in (names.begin, names.end)
    )
    boundary = f"=_{names.file.split('!')[-1].partition('.')[0]}_{names.begin}"
    lines = [
        f"From: {reporter.email}",
        f"To: {to}",
        f"Subject: Report Domain: {domain}",
        f"\tSubmitter: {receiver}",
        f"\tReport-ID: <{names.id}>",
        f"Date: {format_datetime(now)}",
        f"Message-ID: <{names.id}>",
        "Auto-Submitted: auto-generated",
        "MIME-Version: 1.0",
        f'Content-Type: multipart/mixed; boundary="{boundary}"',
        "",
        f"--{boundary}",
        "Content-Type: text/plain; charset=us-ascii",
        "",
        f"This is a DMARC aggregate report of {receiver}",
        f"about mail from {domain},",
        f"{days}.",
        "",
        f"--{boundary}",
        "Content-Type: application/gzip",
        "Content-Transfer-Encoding: base64",
        "Content-Disposition: attachment;",
        f'\tfilename="{names.file}"',
        "",
        *(
            base64.b64encode(data[at : at + BASE64_LINE]).decode("ascii")
            for at in range(0, len(data), BASE64_LINE)
        ),
        f"--{boundary}--",
        "",
    ]
    return "\n".join(lines).encode("ascii")
