#!/usr/bin/python3
"""Put a header field on top of each message that says how the client's connection was encrypted.

    filter tls-field proc-exec "filter-tls-field"
    listen on 192.0.2.1 port 25 tls pki example.com filter tls-field

The message itself goes on untouched: a HeldMessage can only put fields in front of it.
"""

from opensmtpd import options, run
from opensmtpd.filter import Filter, Front, HeldMessage, Session


class TLSLine(HeldMessage):
    def __init__(self, ciphers: bytes | None) -> None:
        self.ciphers = ciphers

    def end(self) -> Front:
        return [b"X-Client-TLS: " + (self.ciphers or b"none")]


class TLSField(Filter):
    uses = ("tls",)

    def on_message(self, session: Session) -> HeldMessage:
        return TLSLine(session.tls)


if __name__ == "__main__":
    run.filter(lambda _: TLSField(), options.filter_parser("filter-tls-field", __doc__))
