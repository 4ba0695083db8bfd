"""Answers of rspamd: as HTTP, as verdicts, and as what becomes of a message."""

from contextlib import suppress

from opensmtpd._protocol.filter.connection import FilterConnection
from opensmtpd.errors import ServerLost, ServerRefused
from opensmtpd.filter import EditedMessage, Filter, Session
from opensmtpd.mail.rspamd import edits, reply, upload
from opensmtpd.mail.rspamd.verdict import RspamdVerdict

_AT = b"|0.7|1.2|smtp-in|"
_LINE = b"filter" + _AT + b"data-line|7641df9771b4ed00|1ef1c203cc576e5d|"
MESSAGE = b"".join(
    _LINE + line + b"\n"
    for line in (b"X-Spam: no", b"Received: x", b"\tby y", b"Subject: s", b"A: b", b"", b"t", b".")
)
SMTPD = (
    b"config|smtpd-version|7.6.0\nconfig|protocol|0.7\nconfig|ready\n"
    b"report" + _AT + b"link-connect|7641df9771b4ed00|a|pass|192.0.2.5:1|[::1]:25\n"
    b"report" + _AT + b"tx-begin|7641df9771b4ed00|018a64ac\n" + MESSAGE +
    b"filter" + _AT + b"commit|7641df9771b4ed00|1ef1c203cc576e5e|\n"
)  # fmt: skip


class _Judged(Filter):
    """Does to each message what a verdict says."""

    def __init__(self, verdict: RspamdVerdict) -> None:
        self.verdict = verdict

    def on_message(self, session: Session) -> EditedMessage:
        return _Mail(self.verdict)


class _Mail(EditedMessage):
    """A message with a verdict."""

    def __init__(self, verdict: RspamdVerdict) -> None:
        self.verdict = verdict

    def end(self) -> None:
        edits.write(self, self.verdict)


def judged(verdict: RspamdVerdict) -> bytes:
    """Return what a filter tells smtpd of a message with a verdict."""
    faults: list[str] = []

    def log(event: str, session: str | None = None, **fields: object) -> None:
        faults.append(event)

    protocol = FilterConnection(_Judged(verdict), log=log)
    protocol.receive(SMTPD, 0.0)
    out = b""
    while sent := protocol.data_to_send():
        out += sent
    assert not [event for event in faults if "fail" in event], faults
    return out


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
        told = judged(reply.verdict(body))
        assert not {0, 13} & set(told)
        lines = told.split(b"\n")[:-1]
        [result] = [line for line in lines if line.startswith(b"filter-result|")]
        assert result.split(b"|", 3)[3][:10] in (b"proceed", b"reject|550", b"reject|451")
        assert [line for line in lines if line.endswith(b"|.")] == [lines[-2]], lines
