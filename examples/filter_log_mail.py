#!/usr/bin/python3
"""Log a line for each message that smtpd has taken: its sender, recipients and size.

    filter log-mail proc-exec "filter-log-mail"

The line stands in smtpd's own log, behind the name of the filter:

    log-mail: 1718c5e591926d28 message msgid=5e59b261 sender=bob@example.net recipients=2 size=812
"""

from opensmtpd import options, run
from opensmtpd.filter import Filter, Session, TxCommit
from opensmtpd.log import log


class LogMail(Filter):
    uses = ("sender", "recipients")

    def on_tx_commit(self, session: Session, report: TxCommit) -> None:
        log(
            "message",
            session.id,
            msgid=report.msgid,
            sender=session.sender,
            recipients=len(session.recipients),
            size=report.size,
        )


if __name__ == "__main__":
    run.filter(lambda _: LogMail(), options.filter_parser("filter-log-mail", __doc__))
