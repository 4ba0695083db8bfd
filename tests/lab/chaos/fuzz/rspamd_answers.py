"""Answers of rspamd: as HTTP, as verdicts, and as what becomes of a message."""

from contextlib import suppress

from lab.chaos.fuzz.one_message import result
from opensmtpd.errors import ServerLost, ServerRefused
from opensmtpd.filter import EditedMessage
from opensmtpd.mail.rspamd import edits, reply, upload
from opensmtpd.mail.rspamd.verdict import RspamdVerdict


class _Mail(EditedMessage):
    """A message with a verdict."""

    def __init__(self, verdict: RspamdVerdict) -> None:
        self.verdict = verdict

    def end(self) -> None:
        edits.write(self, self.verdict)


def rspamd_answers(data: bytes) -> None:
    """An answer of rspamd: what smtpd is told of a message then is legal."""
    place = upload.plain_body(data)
    try:
        body = upload.body_of(data)
    except (ServerLost, ServerRefused):
        assert place is None or place.stop > len(data)
        body = data
    else:
        assert place is None or data[place] == body
    with suppress(ServerRefused):
        told = result(_Mail(reply.verdict(body)))
        assert told[:10] in (b"proceed", b"reject|550", b"reject|451")
