#!/opt/opensmtpd-plugins/bin/python
"""A filter that gives back each line as it came: the least that a filter on our core costs."""

from opensmtpd import options, run
from opensmtpd.filter import Filter, Session, StreamedMessage


class Same(StreamedMessage):
    def header(self, lines: list[bytes]) -> list[bytes]:
        return lines

    def body(self, lines: list[bytes]) -> list[bytes]:
        return lines


class Echo(Filter):
    def on_message(self, session: Session) -> StreamedMessage:
        return Same()


if __name__ == "__main__":
    run.filter(lambda _: Echo(), options.filter_parser("filter-echo", __doc__ or ""))
