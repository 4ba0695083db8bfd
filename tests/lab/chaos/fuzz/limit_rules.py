"""Rules of filter-limit: what is read of them, who is found by them, and what is replied."""

import math
import re
from functools import partial

from lab.chaos.fuzz.in_a_file import in_a_file
from opensmtpd.backends.state import steps
from opensmtpd.errors import LocalError
from opensmtpd.mail.limit.charges import charges
from opensmtpd.mail.limit.replies import refusal
from opensmtpd.mail.limit.rules import Excess, LimitRule, LimitRules, Unit, Whose

NAMES = {
    Whose.USER: ["alice", "news"],
    Whose.ADDRESS: ["192.0.2.7", "2001:db8::7"],
    Whose.NETWORK: ["192.0.2.0/24", "2001:db8::/64"],
    Whose.SENDER: ["bob@example.org", "x"],
    Whose.SENDER_DOMAIN: ["lists.example.net"],
    Whose.RECIPIENT_DOMAIN: ["example.org", ""],
}
TEXT = re.compile(r"[245]\.[0-9]\.[0-9]+ [ -~]{1,200}")


def limit_rules(data: bytes) -> None:
    """A file of rules: each one that is read can be asked, and is read anew as it is written."""

    def read(path: str) -> None:
        rules = LimitRules(path)
        for unit in Unit:
            for charge in charges(rules, NAMES, unit, 1):
                assert charge.rule in rules.all
                assert charge.rule.unit is unit
                assert steps.key_of(charge.key)
        for rule in rules.all:
            steps.allow(b"", rule.rate, 1, 240.0)
            steps.put(b"", b"", rule.stopped_for)
            for after in (0.0, 0.1, 1e9, math.inf):
                refused = refusal(rule, after)
                assert TEXT.fullmatch(refused.text), refused
                assert 400 <= refused.code < 600
            in_a_file(line_of(rule), partial(same, rule=rule))

    in_a_file(data, read)


def line_of(rule: LimitRule) -> bytes:
    """Return the line of a rule."""
    time = f" {round(rule.stopped_for / 60)}m" if rule.excess is Excess.STOP else ""
    return f"{rule.whose} {rule.unit} {rule.written} {rule.excess}{time}\n".encode()


def same(path: str, rule: LimitRule) -> None:
    """Read one line, which is to be that of the rule."""
    try:
        [found] = LimitRules(path).all
    except LocalError as error:
        raise AssertionError(f"{rule}: {error}") from error
    assert found == rule._replace(stopped_for=found.stopped_for), (found, rule)
    assert abs(found.stopped_for - rule.stopped_for) <= 30
