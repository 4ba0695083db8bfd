"""A server for the checkers of names: a configuration in a file, and a DNS of plain data."""

from collections.abc import Callable, Iterable
from ipaddress import ip_address
from pathlib import Path
from typing import Any, NamedTuple

from opensmtpd.dns import Lookup
from opensmtpd_cli.commands.check.finding import Finding
from opensmtpd_cli.commands.check.server import Checker, Server
from opensmtpd_cli.smtpdconf import parser
from unit.support.plain_dns import result


class Situation(NamedTuple):
    """What stands in smtpd.conf, and what the DNS has, as ``plain_dns`` writes it."""

    path: Path
    text: str
    records: tuple[str, ...] = ()
    slow: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    root: bool = True
    dns: bool = True

    def server(self) -> Server:
        """Write the file, and return the server."""
        self.path.write_text(self.text)

        def ask(lookup: Lookup[Any]) -> Any:
            return result(lookup, *self.records, slow=self.slow)

        return Server(
            path=str(self.path),
            configuration=parser.read(str(self.path)),
            version=(7, 6, 0),
            smtpd="",
            start=False,
            root=self.root,
            addresses=tuple(map(ip_address, self.addresses)),
            dns=ask if self.dns else None,
        )

    def found(self, *lookups: Callable[[Server], Lookup[list[Finding]]]) -> list[str]:
        """Return ``LINE SEVERITY CODE: FAULT -> REMEDY`` of each finding of these lookups."""
        server = self.server()
        assert server.dns is not None
        return [_told(each) for lookup in lookups for each in server.dns(lookup(server))]

    def said(self, *checkers: Checker) -> list[str]:
        """Return the same of these checkers."""
        server = self.server()
        return [_told(each) for checker in checkers for each in checker(server)]


def _told(each: Finding) -> str:
    remedy = f" -> {each.remedy}" if each.remedy else ""
    return f"{each.line} {each.severity} {each.code}: {each.fault}{remedy}"


def without(records: Iterable[str], *begins: str) -> tuple[str, ...]:
    """Return the records but for those that begin so."""
    return tuple(each for each in records if not each.startswith(begins))
