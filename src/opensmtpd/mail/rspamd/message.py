"""A message that is scanned by rspamd while its client waits."""

from opensmtpd._counters.counts import count
from opensmtpd.answer import Answer
from opensmtpd.errors import LocalError, Refused
from opensmtpd.filter import EditedMessage, Reject
from opensmtpd.log import log
from opensmtpd.mail.rspamd import edits
from opensmtpd.mail.rspamd.request import RequestFields
from opensmtpd.mail.rspamd.scan import PART, Scan, Scanner
from opensmtpd.mail.rspamd.verdict import RspamdVerdict

NOT_SCANNED = Reject(451, "4.7.1 The message cannot be scanned now, please try again later")
ACTIONS = ("no action", "greylist", "add header", "rewrite subject", "soft reject", "reject")
"""Those that every rspamd has; an administrator may add others."""


class ScannedMail(EditedMessage):
    """A message that goes to rspamd while it arrives, and gets what the verdict says."""

    def __init__(
        self, scanner: Scanner, session: str, fields: RequestFields, size_max: int, *, opens: bool
    ) -> None:
        """``opens`` lets a message pass that cannot be scanned; else it is refused with 451."""
        self.session, self.size_max, self.opens = session, size_max, opens
        self.scan = Scan(scanner, self.reader, fields)
        self.size = self.reader()
        self.counted = 0
        """The bytes in front of ``size``, as rspamd gets them."""
        self.too_large = False

    def header(self, lines: list[bytes]) -> None:
        """Have a run of header lines scanned."""
        self.more()

    def body(self, lines: list[bytes]) -> None:
        """Have a run of body lines scanned."""
        self.more()

    def more(self) -> None:
        """Upload what has come, unless it is more than is to be scanned."""
        if self.too_large:
            return
        if self.is_larger():
            self.too_large = True
            self.scan.stop()
            return
        self.scan.more()

    def is_larger(self) -> bool:
        """Return whether more has come than is to be scanned.

        smtpd doubles dots, which do not count: a client could have half of its bytes be such. What
        is nearly too large is read, once, to count it.
        """
        while self.size.left and self.counted + self.size.left > self.size_max:
            self.counted += len(self.size.read(PART))
        return self.counted + self.size.left > self.size_max

    def stop(self) -> None:
        """Stop scanning: the transaction is over."""
        self.scan.stop()

    def end(self) -> Answer[None]:
        """Wait for the verdict."""
        if self.too_large:
            self.passes(f"larger than {self.size_max} bytes")
            return None
        return self.scan.end().then(self.finish)

    def finish(self, outcome: RspamdVerdict | LocalError) -> None:
        """Edit the message. Raises Refused."""
        if isinstance(outcome, LocalError):
            log("rspamd-failed", self.session, reason=outcome, url=self.scan.server,
                action="open" if self.opens else "tempfail")  # fmt: skip
            count("opensmtpd_plugin_scans", "failed")
            if not self.opens:
                raise Refused(NOT_SCANNED)
            edits.write_unscanned(self, "rspamd does not answer")
            return
        action = outcome.action
        log("rspamd", self.session, action=action, score=f"{outcome.score:.2f}",
            required=f"{outcome.required:.2f}", url=self.scan.server)  # fmt: skip
        count("opensmtpd_plugin_scans", action if action in ACTIONS else "other")
        if outcome.impossible:
            log("rspamd-impossible", self.session, wants=",".join(outcome.impossible),
                reason="smtpd lets no filter change the envelope of a message")  # fmt: skip
        for name in [*edits.write(self, outcome), *outcome.left_out]:
            log("rspamd-field-unusable", self.session, field=name)

    def passes(self, reason: str) -> None:
        """Let the message pass unscanned, and say so in it."""
        log("rspamd-unscanned", self.session, reason=reason)
        count("opensmtpd_plugin_scans", "unscanned")
        edits.write_unscanned(self, reason)
