#!/usr/bin/python3
"""Take header fields out of a message that tell about its sender's computer.

    filter strip-fields proc-exec "filter-strip-fields"
    listen on 192.0.2.1 port 587 tls-require pki example.com auth filter strip-fields

A filter that signs stands behind this one in a chain: ``filter { strip-fields dkimsign }``.
"""

from opensmtpd import options, run
from opensmtpd.filter import Filter, Session, StreamedMessage

PRIVATE = {b"user-agent", b"x-mailer", b"x-originating-ip"}


class Stripped(StreamedMessage):
    inside = False  # a private field, which may go on in the lines of the next run

    def header(self, lines: list[bytes]) -> list[bytes]:
        return [line for line in lines if self.keeps(line)]

    def keeps(self, line: bytes) -> bool:
        if not line.startswith((b" ", b"\t")):  # else it continues the field above
            self.inside = line.partition(b":")[0].rstrip().lower() in PRIVATE
        return not self.inside


class StripFields(Filter):
    def on_message(self, session: Session) -> StreamedMessage:
        return Stripped()


if __name__ == "__main__":
    run.filter(lambda _: StripFields(), options.filter_parser("filter-strip-fields", __doc__))
