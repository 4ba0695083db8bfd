"""filter-rspamd beside the original in Go, on one smtpd with one rspamd: the same verdicts, and the
same messages, byte for byte.

Signatures have the second in them at which they were made, so that is left out on both sides.
Where the two differ is in test_differences.py.
"""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from integration.support.queued import Outcome
from integration.support.rspamd_mail import Mail, generated, odd, published
from integration.support.rspamd_sides import GO, OURS, prepare, sent
from lab.peers.passage import first_difference
from lab.peers.rspamd.server import RspamdServer
from lab.support import Lab, Setup

pytestmark = pytest.mark.parametrize(
    "running", [Setup("7.6", "rspamd-sides", prepare)], indirect=True, ids=str
)
COUNT = 1000
WRITTEN = (
    *(b"X-Spam: yes", b"X-Spam-Status: Yes", b"Subject: *** SPAM *** "),
    *(b"DKIM-Signature: ", b"a=ed25519-sha256", b"ARC-Seal: "),
    *(b"Authentication-Results: ", b"X-Text: "),
)
"""Each stands in more than 20 of the messages that both have left."""
SIGNED = re.compile(rb"(?m)^(?:DKIM-Signature|ARC-Seal|ARC-Message-Signature): (?:.*\n[ \t])*.*\n")


def timeless(outcome: Outcome) -> Outcome:
    """Leave out of signatures when they were made, and what follows from that."""

    def without(field: re.Match[bytes]) -> bytes:
        return re.sub(rb"\bt=\d+|\bb=[\sA-Za-z0-9+/=]+", b"", field[0])

    return outcome._replace(message=SIGNED.sub(without, outcome.message))


SUBJECT = re.compile(rb"(?mi)^subject:.*\n(?:[ \t].*\n)*")
FORGED = re.compile(rb"(?mi)^x-(?:spam|rspamd)[^:\n]*:.*\n(?:[ \t].*\n)*")


def left_out(mail: Mail) -> list[re.Pattern[bytes]]:
    """Return the fields of a message that are known to differ (test_differences.py).

    The one in Go writes a new subject over lines that begin with ``Subject: `` alone, and leaves
    forged fields that rspamd does not name.
    """
    header = mail.message.replace(b"\r\n", b"\n").partition(b"\n\n")[0] + b"\n"
    subjects = SUBJECT.findall(header)
    usual = subjects and all(re.fullmatch(rb"Subject: .*\n", each) for each in subjects)
    found = [SUBJECT] if "rewrite subject" in mail.title and not usual else []
    return [*found, FORGED] if FORGED.search(header) else found


def comparable(mail: Mail, outcome: Outcome) -> Outcome:
    """Leave out of an outcome what may differ."""
    header, blank, rest = timeless(outcome).message.partition(b"\n\n")
    for field in left_out(mail):
        header = field.sub(b"", header + b"\n").removesuffix(b"\n")
    return Outcome(outcome.reply, header + blank + rest)


def both(lab: Lab, mails: list[Mail]) -> list[tuple[Outcome, Outcome]]:
    """Send mails to both listeners; return what became of each of them."""
    with ThreadPoolExecutor(2) as threads:
        ours, theirs = threads.map(lambda port: list(sent(lab, port, mails)), (OURS, GO))
    return list(zip(ours, theirs, strict=True))


def test_a_thousand_messages(lab: Lab, rspamd: RspamdServer) -> None:
    mails = [*published(), *odd()]
    mails += map(generated, range(COUNT - len(mails)))
    outcomes = both(lab, mails)
    different = []
    for each, outcome in zip(mails, outcomes, strict=True):
        ours, theirs = (comparable(each, one) for one in outcome)
        if ours != theirs:
            place = first_difference(theirs.message, ours.message)
            different.append(f"{each.title}: {theirs.reply!r} {ours.reply!r} {place}")
    assert not different, f"{len(different)} of {len(mails)}:\n" + "\n".join(different[:10])
    assert sum(not left_out(each) for each in mails) > 900
    replies = {each.title: ours.reply for each, (ours, _) in zip(mails, outcomes, strict=True)}
    assert replies["GTUBE"] == b"550 Gtube pattern"
    codes = {ours.reply[:3] for ours, _ in outcomes}
    assert codes == {b"250", b"451", b"550"}
    text = b"".join(ours.message for ours, _ in outcomes)
    for field in WRITTEN:
        assert text.count(field) > 20, field
