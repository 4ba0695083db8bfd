"""filter-rdns, filter-fcrdns: junk clients without a name in the DNS, or with a false one.

In smtpd.conf, where the builtin filters stood::

    filter check_rdns proc-exec "filter-rdns"
    filter check_fcrdns proc-exec "filter-fcrdns"

They are one program with different defaults: filter-rdns junks clients without a PTR record, and
filter-fcrdns clients whose name does not lead back to their address (FCrDNS, the "iprev" of
RFC 8601 section 2.7.3). filter-rdns(8) describes the checks.
"""

import argparse
from collections.abc import Sequence

from opensmtpd import options, run
from opensmtpd.dns import Lookup, gather
from opensmtpd.dns import options as dns_options
from opensmtpd.filter import LinkGreeting, Session
from opensmtpd.mail.client import text
from opensmtpd.mail.policy import options as policy_options
from opensmtpd.mail.policy.action import JUNK_IT, OFF, Action, Response, response
from opensmtpd.mail.policy.checks import CHECKS, PolicyFinding, helo_findings, name_findings
from opensmtpd.mail.policy.filter import CONNECT, HELO, ClientState, PolicyFilter, state_of
from opensmtpd.mail.policy.iprev import look_up
from opensmtpd.mail.policy.verdict import PolicyVerdict, Reason

EPILOG = """\
In smtpd.conf, in the place of "filter check_rdns phase connect match !rdns junk":

  filter check_rdns proc-exec "filter-rdns"
  filter check_fcrdns proc-exec "filter-fcrdns"

All checks in one process, with a reason for the client:

  filter clients proc-exec "filter-rdns --fcrdns junk --dynamic header \\
      --helo-name 'reject:550 5.5.2 Say who you are' --exempt /etc/mail/spared"

"junk" ends a chain of filters for its phase: put a filter that must see every
client in front of one that junks.
"""

DESCRIPTIONS = {
    "filter-rdns": "Junk clients that have no name in the DNS.",
    "filter-fcrdns": "Junk clients whose name does not lead back to their address.",
}


class Clients(PolicyFilter):
    """Judges clients by their name in the DNS and by the name in HELO."""

    def __init__(self, flags: argparse.Namespace) -> None:
        """Raises ConfigError for options and files that cannot be used."""
        self.responses: dict[str, Response] = {name: getattr(flags, key(name)) for name in CHECKS}
        self.active = {name for name, each in self.responses.items() if each.action > Action.OFF}
        self.verify: bool = flags.verify
        self.our_names = {name.lower().rstrip(".") for name in flags.our_name}
        rules = policy_options.rules(flags, tuple(self.responses.values()))
        phases = {CHECKS[name].phase for name in self.active}
        resolver = dns_options.resolver(flags, needed=self.verify or "helo-dns" in self.active)
        super().__init__(rules, resolver, sorted(phases))
        if "helo-ours" not in self.active:
            self.unused.add("on_link_greeting")

    def on_link_greeting(self, session: Session, report: LinkGreeting) -> None:
        """Keep the name of this server that the listener has."""
        state_of(session).data = text(report.hostname).lower().rstrip(".")

    def judge(self, state: ClientState, phases: Sequence[str]) -> Lookup[PolicyVerdict | None]:
        """Run the checks of these phases, all at the same time."""
        checks = []
        # Exemptions by name need the name, also where only HELO has checks.
        by_name_only = self.verify and self.rules.exempt and CONNECT not in self.phases
        if CONNECT in phases or by_name_only:
            checks.append(self.by_name(state))
        if HELO in phases:
            checks.append(self.by_helo(state))
        found = yield from gather(checks)
        if state.exempt:
            return None
        findings = [finding for each in found for finding in each if finding.check in self.active]
        return self.verdict(findings) if findings else None

    def by_name(self, state: ClientState) -> Lookup[list[PolicyFinding]]:
        """Return the findings about the client's name in the DNS."""
        address = state.client.address
        if self.verify and address is not None:  # a client without an address is exempt
            client = yield from look_up(state.client, address)
            state.client = state.client._replace(rdns=client.rdns, fcrdns=client.fcrdns)
            state.exempt = state.client in self.exemptions  # its name may have changed
        return list(name_findings(state.client, "dynamic" in self.active))

    def by_helo(self, state: ClientState) -> Lookup[list[PolicyFinding]]:
        """Return the findings about the client's name in HELO."""
        names = {name for name in (*self.our_names, state.data) if name}
        return (yield from helo_findings(state.client, names, "helo-dns" in self.active))

    def verdict(self, findings: Sequence[PolicyFinding]) -> PolicyVerdict:
        """Return the strongest response, with all reasons."""
        said = [(self.response(finding), CHECKS[finding.check].refusal) for finding in findings]
        response, default = max(said, key=lambda pair: pair[0].action)
        return PolicyVerdict(
            response, tuple(Reason(each.check, each.text) for each in findings), default
        )

    def response(self, finding: PolicyFinding) -> Response:
        """Return the response to a finding, as the options have it."""
        return self.rules.dns_failure if finding.failed else self.responses[finding.check]


def key(check: str) -> str:
    """Return the option of a check as argparse names it."""
    return check.replace("-", "_")


def parser(prog: str = "filter-rdns") -> argparse.ArgumentParser:
    """Return the parser of the command line of ``filter-rdns`` or ``filter-fcrdns``."""
    flags = options.filter_parser(prog, DESCRIPTIONS[prog], EPILOG)
    add = flags.add_argument_group(
        "checks, each with what it does",
        f"{policy_options.ACTION_HELP}; TEXT may begin with a reply code",
    ).add_argument
    action = options.typed(response)
    for name, check in CHECKS.items():
        default = JUNK_IT if prog == f"filter-{name}" else OFF
        what = f"{check.help} (default {'junk' if default is JUNK_IT else 'off'})"
        add(f"--{name}", type=action, default=default, metavar="ACTION[:TEXT]", help=what)
    # fmt: off
    add("--our-name", action="append", default=[], metavar="NAME",
        help="one more name or address of this server, for --helo-ours")
    add("--verify", action="store_true", help="ask the DNS ourselves, for all names of the client,"
        " instead of taking smtpd's verdict")
    # fmt: on
    policy_options.add(flags)
    dns_options.add(flags)
    return flags


def main() -> None:
    """Run filter-rdns."""
    run.filter(Clients, parser())


def main_fcrdns() -> None:
    """Run filter-fcrdns."""
    run.filter(Clients, parser("filter-fcrdns"))


if __name__ == "__main__":
    main()
