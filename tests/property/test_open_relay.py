"""Open relays, against a reading of ruleset.c that is as plain as it can be.

The rules are of a small world, in which all envelopes can be tried: a rule is reported just where
some stranger's envelope comes to it.
"""

from itertools import product
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd_cli.commands.check.rules.open_relay import checker
from unit.support.checked import found_by

HEAD = """\
listen on 192.0.2.1
listen on 192.0.2.2 tag T
action "in" maildir
action "out" relay
"""
FIRST = 5

FROM = ("any", "local", "socket", "auth", "rdns", "src { 10.0.0.0/8 }", "src { 0.0.0.0/0 }",
        'mail-from "@own.example"')  # fmt: skip
FOR = ("any", "local", "domain own.example", 'domain "*"', 'rcpt-to "@own.example"', 'rcpt-to "@"')
OTHERS = ("", "auth", "tag T", "tag U", 'helo "h.example"', 'mail-from "@own.example"')


class Rule(NamedTuple):
    """The words of a match, each with whether it is negated."""

    from_: tuple[bool, str]
    for_: tuple[bool, str]
    other: tuple[bool, str]
    action: str

    def __str__(self) -> str:
        words = [
            f"{'!' * negated}{prefix}{word}"
            for prefix, (negated, word) in (
                ("from ", self.from_), ("for ", self.for_), ("", self.other),
            )
            if word
        ]  # fmt: skip
        return f"match {' '.join(words)} {self.action}"


class Stranger(NamedTuple):
    """A client from the Internet, without a password, who writes to a foreign domain."""

    tag: str
    named: bool
    helo: str
    sender: str


STRANGERS = [
    Stranger(*each)
    for each in product(
        ("", "T"), (True, False), ("h.example", "x.example"), ("a@own.example", "a@x.example", "@")
    )
]


def holds(rule: Rule, who: Stranger) -> bool:
    """Return whether a rule takes the mail of a stranger for ``victim@foreign.example``."""
    truths = {
        "from": {
            "any": True, "local": False, "socket": False, "rdns": who.named,
            "src { 10.0.0.0/8 }": False, "src { 0.0.0.0/0 }": True,
        },
        "for": {"any": True, "local": False, "domain own.example": False, 'domain "*"': True},
        "alone": {
            "auth": False, "tag T": who.tag == "T", "tag U": False,
            'helo "h.example"': who.helo == "h.example",
            'mail-from "@own.example"': who.sender.endswith("@own.example"),
            'rcpt-to "@own.example"': False, 'rcpt-to "@"': True,
        },
    }  # fmt: skip
    found = []
    for kind, (negated, word) in (("from", rule.from_), ("for", rule.for_), ("alone", rule.other)):
        if word:
            table = truths[kind] if word in truths[kind] else truths["alone"]
            found.append(table[word] is not negated)
    return all(found)


def expected(rules: list[Rule]) -> set[int]:
    """Return the lines of the relaying rules that a stranger's mail comes to."""
    lines = set()
    for who in STRANGERS:
        taken = next((n for n, rule in enumerate(rules) if holds(rule, who)), None)
        if taken is not None and rules[taken].action == 'action "out"':
            lines.add(FIRST + taken)
    return lines


def _words(words: tuple[str, ...]) -> st.SearchStrategy[tuple[bool, str]]:
    return st.tuples(st.booleans(), st.sampled_from(words))


RULES = st.lists(
    st.builds(
        Rule, _words(FROM), _words(FOR), _words(OTHERS),
        st.sampled_from(('action "out"', 'action "out"', 'action "in"', "reject")),
    ).filter(lambda rule: not rule.other[1] or rule.from_[1] not in OTHERS),
    min_size=1, max_size=5,
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for smtpd.conf."""
    return tmp_path_factory.mktemp("rules")


@given(rules=RULES)
def test_a_rule_is_reported_where_a_strangers_mail_comes_to_it(
    folder: Path, rules: list[Rule]
) -> None:
    text = HEAD + "".join(f"{rule}\n" for rule in rules)
    found = {each.line for each in found_by(checker.check, folder, text)}
    assert found == expected(rules)
