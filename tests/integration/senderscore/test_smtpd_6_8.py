"""filter-senderscore on smtpd 6.8, which Debian 12 has. It speaks the filter protocol 0.6."""

import pytest

from integration.support.dns_scenes import visit
from integration.support.senderscore_scenes import (
    BAD,
    BLOCKED,
    DOUBTFUL,
    FAIR,
    HELLO,
    NEW,
    PROGRAM,
    SCORES,
    WORST,
    Said,
    last,
    scored,
    talk,
)
from lab.root.namespace import SERVER4
from lab.shows.guide import Guide
from lab.support import Lab, Setup

CONF = f"""\
table domains file:/etc/mail/domains
table aliases file:/etc/mail/aliases
filter "dkimsign" proc-exec "filter-dkimsign -d example.com -s mail \
-k /etc/mail/dkim/private.key" user _dkimsign group _dkimsign
filter "score" proc-exec "{PROGRAM} -blockBelow 5 -junkBelow 70 -scoreHeader -slowFactor 50"
filter "later" proc-exec "{PROGRAM} -blockBelow 10 -blockPhase rcpt-to"
listen on socket filter "dkimsign"
listen on {SERVER4} port 25 filter {{ "score", "later" }} hostname example.com
action "maildir" maildir "%{{user.directory}}/Maildir" junk alias <aliases>
match from any for domain <domains> action "maildir"
"""


def prepare(guide: Guide) -> None:
    """Have two filters, and nothing of the guide that smtpd 6.8 does not know."""
    (guide.view / "etc/mail/smtpd.conf").write_text(CONF)


pytestmark = pytest.mark.parametrize(
    "running", [Setup("6.8", "senderscore", prepare)], indirect=True, ids=str
)


@pytest.fixture(autouse=True)
def records(lab: Lab) -> None:
    lab.dns.records = {**lab.dns.records, **scored(SCORES)}


@pytest.mark.parametrize(
    ("source", "place", "fields"),
    [
        (WORST, BLOCKED, []),
        (BAD, BLOCKED, []),
        (DOUBTFUL, ".Junk", [b"X-SenderScore: 69"]),
        (FAIR, "inbox", [b"X-SenderScore: 70"]),
        (NEW, "inbox", []),
    ],
)
def test_clients(lab: Lab, source: str, place: str, fields: list[bytes]) -> None:
    found = visit(lab, source, 25, front="X-SenderScore: 100\r\n")
    assert (found.place, found.fields(b"X-SenderScore")) == (place, fields)


def test_where_they_are_blocked(lab: Lab) -> None:
    """The second filter is not asked about the connection, for the first one has junked BAD."""
    steps = (HELLO, "MAIL FROM:<bob@example.net>", "RCPT TO:<alice@example.com>", "DATA")
    assert last(talk(lab, WORST, 25, steps)) == Said("connect", BLOCKED)
    assert talk(lab, BAD, 25, steps)[-2:] == [Said(steps[2], BLOCKED), Said("gone")]
