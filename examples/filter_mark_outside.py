#!/usr/bin/python3
"""Put a mark in front of the Subject of mail from clients that did not authenticate.

    filter mark-outside proc-exec "filter-mark-outside"
    listen on 192.0.2.1 port 25 tls pki example.com filter mark-outside

Replies keep the mark, and get no second one. A signature of the sender's domain covers the Subject
and does not hold any more: a filter that verifies signatures stands in front of this one.
"""

from opensmtpd import options, run
from opensmtpd.filter import EditedMessage, Filter, Session

MARK = b"[outside]"


class Marked(EditedMessage):
    def end(self) -> None:
        subjects = self.named(b"Subject")
        for field in subjects:
            if MARK not in field.value:
                value = field.raw.partition(b":")[2].replace(b"\r", b"")  # folded as it was
                self.replace(field, MARK + value)
        if not subjects:
            self.append(b"Subject", MARK)


class MarkOutside(Filter):
    uses = ("username",)

    def on_message(self, session: Session) -> EditedMessage | None:
        return Marked() if session.username is None else None


if __name__ == "__main__":
    run.filter(lambda _: MarkOutside(), options.filter_parser("filter-mark-outside", __doc__))
