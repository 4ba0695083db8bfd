"""All metrics, with their labels and help texts: the one place that names them.

The values of each label are a literal set, so that nothing that a client says becomes a series.
OpenMetrics 1.0 gives the samples of a counter the suffix ``_total``, which is not written here.
filter-metrics(8) has the same list.
"""

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Literal, NamedTuple, TypeAlias

Cell: TypeAlias = tuple[str, ...]
"""The name of a metric, and a value of each of its labels."""


class Metric(NamedTuple):
    """A metric; ``labels`` are the names of its labels with all values that they may have."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: Mapping[str, tuple[str, ...]] = {}
    buckets: tuple[float, ...] = ()
    """The upper bounds of a histogram's buckets, without that of the last, which has none."""

    def cells(self) -> Iterator[Cell]:
        """Yield all cells."""
        for values in product(*self.labels.values()):
            yield self.name, *values


DIRECTIONS = ("in", "out")
OK, PERMFAIL, TEMPFAIL = RESULTS = ("ok", "permfail", "tempfail")
TLS_VERSIONS = ("none", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3", "other")
DECISIONS = ("proceed", "junk", "reject", "disconnect", "rewrite")
PHASES = (
    *("connect", "helo", "ehlo", "starttls", "auth", "mail-from", "rcpt-to", "data", "commit"),
    *("rset", "quit", "noop", "help"),
)
RESPONDING = (
    *("connected", "helo", "ehlo", "tls", "auth", "mail-from", "rcpt-to", "data", "data-line"),
    *("commit", "rset", "quit", "noop", "help"),
)
"""The phases as ``filter-response`` has them: two have other names there."""
SERVICES = (
    *("alias", "domain", "credentials", "netaddr", "userinfo", "source", "mailaddr", "addrname"),
    *("mailaddrmap", "relayhost", "string", "regex", "auth", "unknown"),
)
PROGRAMS = (
    *("filter-archive", "filter-auth", "filter-dkimsign", "filter-dnsbl", "filter-fcrdns"),
    *("filter-greylist", "filter-headers", "filter-limit", "filter-metrics", "filter-milter"),
    *("filter-rdns", "filter-rspamd", "filter-senderscore"),
    *("table-dovecot", "table-flat", "table-ldap", "table-mysql", "table-passwd"),
    *("table-postgres", "table-redis", "table-socketmap", "table-sqlite", "other"),
)
"""The programs of this suite that count: recorders do not. ``other`` stand on its library."""

SMTPD = (
    Metric(
        "opensmtpd_connections",
        "counter",
        "Connections, by the verdict on the client's name in the DNS (of smtp-out always pass).",
        {"direction": DIRECTIONS, "fcrdns": ("pass", "fail", "error")},
    ),
    Metric(
        "opensmtpd_open_sessions",
        "gauge",
        "Sessions that are open.",
        {"direction": DIRECTIONS},
    ),
    Metric(
        "opensmtpd_sessions",
        "counter",
        "Sessions that have ended, by the version of TLS that they used.",
        {"direction": DIRECTIONS, "tls": TLS_VERSIONS},
    ),
    Metric(
        "opensmtpd_session_duration_seconds",
        "histogram",
        "Time from the beginning of a session to its end.",
        {"direction": DIRECTIONS},
        (0.1, 0.5, 1, 5, 10, 30, 60, 300, 1800),
    ),
    Metric(
        "opensmtpd_timeouts",
        "counter",
        "Sessions that ended because the other side was silent.",
        {"direction": DIRECTIONS},
    ),
    Metric(
        "opensmtpd_authentications",
        "counter",
        "Attempts to authenticate, by their result.",
        {"direction": DIRECTIONS, "result": ("pass", "fail", "error")},
    ),
    Metric(
        "opensmtpd_commands",
        "counter",
        "Commands of transactions, by their result.",
        {"direction": DIRECTIONS, "command": ("mail", "rcpt", "data"), "result": RESULTS},
    ),
    Metric(
        "opensmtpd_messages",
        "counter",
        "Transactions that have ended: accepted by the receiving side, or given up.",
        {"direction": DIRECTIONS, "result": ("commit", "rollback")},
    ),
    Metric(
        "opensmtpd_message_size_bytes",
        "histogram",
        "Size of the messages that were accepted.",
        {"direction": DIRECTIONS},
        (1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216),
    ),
    Metric(
        "opensmtpd_filter_responses",
        "counter",
        "Decisions of all filters of a listener together, builtin ones included.",
        {"phase": RESPONDING, "decision": DECISIONS},
    ),
)
"""Counted by filter-metrics, from the reports of smtpd."""

PLUGINS = (
    Metric(
        "opensmtpd_plugin_decisions",
        "counter",
        "Decisions of a filter, by the phase that they answered.",
        {"phase": PHASES, "decision": DECISIONS},
    ),
    Metric(
        "opensmtpd_plugin_deadlines_missed",
        "counter",
        "Calls that took too long, and were answered as failures.",
    ),
    Metric(
        "opensmtpd_plugin_failures",
        "counter",
        "Calls that failed otherwise.",
    ),
    Metric(
        "opensmtpd_plugin_worker_restarts",
        "counter",
        "Processes behind a program that ended, and were replaced.",
    ),
    Metric(
        "opensmtpd_plugin_worker_deadlines_missed",
        "counter",
        "Requests that such a process did not answer in time.",
    ),
    Metric(
        "opensmtpd_plugin_dns_questions",
        "counter",
        "Questions to the DNS: answered from the cache, or asked.",
        {"cache": ("hit", "miss")},
    ),
    Metric(
        "opensmtpd_plugin_dns_replies",
        "counter",
        "Replies of name servers.",
        {"result": ("found", "absent", "failed")},
    ),
    Metric(
        "opensmtpd_plugin_signatures",
        "counter",
        "Signatures that were written.",
    ),
    Metric(
        "opensmtpd_plugin_unsigned_messages",
        "counter",
        "Messages that could not be signed.",
    ),
    Metric(
        "opensmtpd_plugin_verifications",
        "counter",
        "Results of filter-auth, of DKIM one for each signature.",
        {
            "method": ("spf", "dkim", "arc", "dmarc"),
            "result": (
                *("none", "pass", "fail", "softfail", "neutral", "policy"),
                *("temperror", "permerror"),
            ),
        },
    ),
    Metric(
        "opensmtpd_plugin_scans",
        "counter",
        "Messages that rspamd was to scan, by the action that it asked for.",
        {
            "result": (
                *("no action", "greylist", "add header", "rewrite subject", "soft reject"),
                *("reject", "other", "failed", "unscanned"),
            ),
        },
    ),
    Metric(
        "opensmtpd_plugin_table_requests",
        "counter",
        "Requests to a table, by the answer.",
        {
            "request": ("lookup", "check", "fetch"),
            "service": SERVICES,
            "result": ("found", "not-found", "error"),
        },
    ),
    Metric(
        "opensmtpd_plugin_table_updates",
        "counter",
        "Updates of a table (smtpctl update table), by the answer.",
        {"result": ("ok", "error")},
    ),
)
"""Counted by each program of PROGRAMS; a label ``program`` comes first."""

PROCESSES = Metric(
    "opensmtpd_plugin_processes",
    "gauge",
    "Processes of a program that smtpd talks to.",
    {"program": PROGRAMS},
)
"""Counted by filter-metrics, which sees whose files are locked."""
