"""A DNS for checks of SPF, in short words."""

from collections.abc import Collection, Mapping
from ipaddress import ip_address

from opensmtpd.dns import Absent, Failed, Found, Question, RecordType, Reply
from opensmtpd.mail.spf.check import SpfResult, check_host
from unit.support.lookup_run import LookupRun

CLIENT = "192.0.2.7"
FAILS = "!"
"""What stands for records of which the DNS does not tell."""


class Zone(dict[Question, Reply]):
    """Replies, from ``{"example.org TXT": "v=spf1 a", "example.org A": "192.0.2.1 192.0.2.2"}``.

    A list has several TXT records.
    """

    def __init__(self, records: Mapping[str, str | list[str]]) -> None:
        super().__init__()
        for key, value in records.items():
            name, kind = key.split(" ")
            texts = (
                value if isinstance(value, list) else [value] if kind == "TXT" else value.split()
            )
            reply = Failed("timeout") if value == FAILS else Found(tuple(texts))
            self[Question(name, RecordType(kind))] = reply

    def __missing__(self, question: Question) -> Reply:
        return Absent(nxdomain=all(name != question.name for name, _ in self))


def checked(
    records: Mapping[str, str | list[str]],
    address: str = CLIENT,
    domain: str = "example.org",
    slow: Collection[Question] = (),
) -> tuple[SpfResult, LookupRun]:
    """Check alice at a domain, which comes from an address; return the run, too.

    Replies to ``slow`` questions come after the time for those that are asked ahead.
    """
    run = LookupRun(Zone(records).__getitem__)
    run.slow.update(slow)
    lookup = check_host(
        ip_address(address), domain, f"alice@{domain}", "mx.example.net", timestamp=1_700_000_000
    )
    return run(lookup), run


def rounds(run: LookupRun) -> list[str]:
    """Return the questions of each round in one line."""
    return [", ".join(f"{name} {kind}" for name, kind in each) for each in run.rounds]
