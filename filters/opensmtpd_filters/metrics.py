"""filter-metrics: count what smtpd and its plugins do, for Prometheus.

In smtpd.conf::

    filter metrics proc-exec "filter-metrics \
        --file /var/lib/opensmtpd-plugins/metrics-out/opensmtpd.prom" user _metrics group _metrics
    listen on 192.0.2.1 port 25 tls pki example.com filter metrics
    action "relay" relay filter metrics

It hears reports, and is asked nothing: smtpd never waits for it. filter-metrics(8) has all metrics.
"""

import argparse
from functools import partial

from opensmtpd import options, run
from opensmtpd.answer import Offload
from opensmtpd.errors import ConfigError
from opensmtpd.filter import (
    Filter,
    FilterResponse,
    LinkAuth,
    LinkConnect,
    LinkDisconnect,
    LinkTLS,
    Session,
    Timeout,
    TxCommit,
    TxData,
    TxMail,
    TxRcpt,
    TxRollback,
)
from opensmtpd.mail.metrics.exposition import exposition
from opensmtpd.mail.metrics.output import OutputFile, writable_folder
from opensmtpd.mail.metrics.programs import Programs
from opensmtpd.mail.metrics.server import MetricsSocket
from opensmtpd.mail.metrics.sessions import SessionCounts
from opensmtpd.needs import Needs
from opensmtpd.timers import every

INTERVAL = 15.0
"""Seconds from one writing of the file to the next: as long as Prometheus takes to come again."""

EPILOG = """\
In smtpd.conf, for what smtpd receives and for what it sends:

  filter metrics proc-exec "filter-metrics \\
      --file /var/lib/opensmtpd-plugins/metrics-out/opensmtpd.prom" \\
      user _metrics group _metrics
  listen on 192.0.2.1 port 25 tls pki example.com filter metrics
  action "relay" relay filter metrics

A listener that has another filter takes both:

  filter all chain { metrics dkimsign }
"""


class Metrics(Filter):
    """Counts, and tells."""

    outgoing = True

    def __init__(self, flags: argparse.Namespace) -> None:
        """Raises ConfigError for options that cannot be used."""
        if flags.file is None and flags.socket is None:
            raise ConfigError("nobody could read the metrics", remedy="give --file or --socket")
        self.sessions = SessionCounts()
        self.programs = Programs()
        self.output = None if flags.file is None else OutputFile(flags.file)
        self.path: str | None = flags.socket
        if self.path is not None:
            writable_folder(self.path)
        self.server: MetricsSocket | None = None
        folder = self.programs.folder
        writes = (folder,) if self.output is None else (folder, self.output.folder)
        self.needs = Needs(writes=writes, locks=True, accepts=self.path is not None)

    def start(self) -> None:
        """Make the socket, and the first file. Raises ConfigError."""
        if self.path is not None:
            self.server = MetricsSocket(self.path, self.text)
        if self.output is not None:
            self.output.write(self.text())

    def stop(self) -> None:
        """Write the last counts, and end the socket."""
        if self.server is not None:
            self.server.close()
        if self.output is not None:
            self.output.write(self.text())

    @every(INTERVAL)
    def write(self) -> Offload[None] | None:
        """Have a thread write the file: a disk may hang."""
        text = self.text()
        return None if self.output is None else Offload(partial(self.output.write, text))

    def text(self) -> bytes:
        """Return all metrics of now."""
        self.programs.read()
        return exposition(self.sessions, self.programs)

    # --- reports --------------------------------------------------------------------------------

    def on_link_connect(self, session: Session, report: LinkConnect) -> None:
        """Count a session."""
        self.sessions.connect(session, report)

    def on_link_tls(self, session: Session, report: LinkTLS) -> None:
        """Note the version of TLS."""
        self.sessions.tls(session, report)

    def on_link_auth(self, session: Session, report: LinkAuth) -> None:
        """Count an attempt to authenticate."""
        self.sessions.authenticate(session, report)

    def on_tx_mail(self, session: Session, report: TxMail) -> None:
        """Count the answer to MAIL FROM."""
        self.sessions.answer(session, report)

    def on_tx_rcpt(self, session: Session, report: TxRcpt) -> None:
        """Count the answer to RCPT TO."""
        self.sessions.answer(session, report)

    def on_tx_data(self, session: Session, report: TxData) -> None:
        """Count the answer to DATA."""
        self.sessions.answer(session, report)

    def on_tx_commit(self, session: Session, report: TxCommit) -> None:
        """Count a message."""
        self.sessions.commit(session, report)

    def on_tx_rollback(self, session: Session, report: TxRollback) -> None:
        """Count a message that was given up."""
        self.sessions.roll_back(session)

    def on_filter_response(self, session: Session, report: FilterResponse) -> None:
        """Count a decision of the filters."""
        self.sessions.respond(report)

    def on_timeout(self, session: Session, report: Timeout) -> None:
        """Count a client that was silent."""
        self.sessions.time_out(session)

    def on_link_disconnect(self, session: Session, report: LinkDisconnect) -> None:
        """Count the end of a session."""
        self.sessions.disconnect(session, report)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    description = "Count what smtpd and its plugins do, for Prometheus."
    flags = options.filter_parser("filter-metrics", description, EPILOG)
    add = flags.add_argument_group("where the metrics go: one of these, or both").add_argument
    # fmt: off
    add("--file", metavar="PATH", help="write them into this file every"
        f" {INTERVAL:g} seconds, for the textfile collector of node_exporter")
    add("--socket", metavar="PATH", help="answer HTTP requests at this unix socket")
    # fmt: on
    return flags


def main() -> None:
    """Run filter-metrics."""
    run.filter(Metrics, parser())


if __name__ == "__main__":
    main()
