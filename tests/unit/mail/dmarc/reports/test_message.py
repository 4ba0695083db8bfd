"""The mail that carries a report, literally and as the standard library reads it."""

import email
import email.policy
from datetime import UTC, datetime

from opensmtpd.mail.dmarc.reports.containers import documents
from opensmtpd.mail.dmarc.reports.document import Reporter, compressed, names
from opensmtpd.mail.dmarc.reports.message import message
from opensmtpd.mail.dmarc.reports.store import DayPolicy
from unit.support.dmarc_messages import DAY, POLICY, RUA

REPORTER = Reporter("mx.example.org", "Example", "dmarc@example.org")
NAMES = names(DayPolicy(1, DAY, POLICY, RUA), REPORTER)
NOW = datetime(2024, 10, 5, 3, 4, 5, tzinfo=UTC)
DATA = compressed(["<feedback/>"])
FILE = "mx.example.org!example.com!1728000000!1728086399!5bbf009690d3.xml.gz"


def mail(data: bytes = DATA) -> bytes:
    return message(NAMES, "example.com", REPORTER, "reports@example.com", data, NOW)


def test_the_message() -> None:
    head, _, rest = mail().decode("ascii").partition("H4sI")
    assert (
        head
        == f"""\
From: dmarc@example.org
To: reports@example.com
Subject: Report Domain: example.com
\tSubmitter: mx.example.org
\tReport-ID: <2024-10-04_example.com_5bbf009690d3@mx.example.org>
Date: Sat, 05 Oct 2024 03:04:05 +0000
Message-ID: <2024-10-04_example.com_5bbf009690d3@mx.example.org>
Auto-Submitted: auto-generated
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="=_5bbf009690d3_1728000000"

--=_5bbf009690d3_1728000000
Content-Type: text/plain; charset=us-ascii

This is a DMARC aggregate report of mx.example.org
about mail from example.com,
2024-10-04 00:00:00 UTC to 2024-10-04 23:59:59 UTC.

--=_5bbf009690d3_1728000000
Content-Type: application/gzip
Content-Transfer-Encoding: base64
Content-Disposition: attachment;
\tfilename="{FILE}"

"""
    )
    assert rest.endswith("\n--=_5bbf009690d3_1728000000--\n")


def test_others_find_the_report_in_it() -> None:
    data = compressed([str(number) for number in range(5000)])
    parsed = email.message_from_bytes(mail(data), policy=email.policy.default)
    (attachment,) = parsed.iter_attachments()
    assert attachment.get_filename() == FILE
    assert attachment.get_content_type() == "application/gzip"
    assert attachment.get_content() == data
    assert max(map(len, mail(data).splitlines())) <= 200


def test_we_find_the_report_in_it() -> None:
    assert list(documents(mail())) == [b"<feedback/>"]
    assert list(documents(mail().replace(b"\n", b"\r\n"))) == [b"<feedback/>"]
