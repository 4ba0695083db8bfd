"""Rules that come too late, rules that nobody can answer, and actions without rules."""

from pathlib import Path

import pytest

from opensmtpd_cli.commands.check.rules import unreachable
from unit.support.checked import found_by, server
from unit.support.swap import guide

HEAD = """\
table far sqlite:/etc/far.conf
table own { example.com, example.net }
action "in" maildir
action "in2" mbox
action "out" relay
"""
FIRST = 6


def said(folder: Path, rules: str) -> list[tuple[str, int]]:
    found = found_by(unreachable.unreachable, folder, HEAD + rules + "\n")
    assert {each.severity for each in found} <= {"warning"}
    return [(each.code, each.line - FIRST + 1) for each in found]


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("from any for any", "from any for any"),
        ("from any for any", "for local"),
        ("for any", "from local for any"),
        ("for local", "for local"),
        ("from any for domain <own>", "from any for domain example.com"),
        ("from any for domain <own>", "from any for domain { example.net, example.com }"),
        ("from any for domain '*.com'", "from any for domain example.com"),
        ("from any for domain <far>", "from any for domain <far>"),
        (
            "from any for domain <own>",
            "from src 192.0.2.1 for domain <own> mail-from a@example.com",
        ),
        ("from local for any", "from socket for any"),
        ("auth from any for any", "auth { al } from any for any"),
        ("from any for any mail-from { a@b, c@d }", "from any for any mail-from { a@b, c@d }"),
        ("from auth for any", "auth from any for any"),
    ],
)
def test_rules_that_come_too_late(tmp_path: Path, earlier: str, later: str) -> None:
    rules = f'match {earlier} action "in"\nmatch {later} action "in2"'
    assert said(tmp_path, rules) == [("rule-unreachable", 2)]


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("from local for any", "from any for any"),
        ("from any for local", "from any for any"),
        ("from any for domain <own>", "from any for domain { example.com, example.org }"),
        ("from any for domain <own>", "from any for domain <far>"),
        ("from any for domain <far>", "from any for domain <own>"),
        ("from any for domain 'example.com'", "from any for domain '*.com'"),
        ("from local for domain <own>", "from any for domain <own>"),
        ("from any for any mail-from a@b", "from any for any mail-from c@d"),
        ("from any for any mail-from a@b", "from any for any !mail-from a@b"),
        ("tls from any for any", "from any for any"),
        ("auth from any for any", "from any for any"),
        ("auth { al } from any for any", "auth from any for any"),
        ("tag A from any for any", "from any for any"),
        ("from any !for domain <own>", "from any for domain <own>"),
        ("!from src 192.0.2.1 for any", "from src 192.0.2.1 for any"),
        ("from any for domain regex '.'", "from any for domain <own>"),
        ("from any for any something-new", "from any for any"),
    ],
)
def test_rules_that_may_get_mail(tmp_path: Path, earlier: str, later: str) -> None:
    rules = f'match {earlier} action "in"\nmatch {later} action "in2"'
    assert said(tmp_path, rules) == []


@pytest.mark.parametrize(
    ("first", "second", "fault"),
    [
        ("in", "out", "mail for example.com is never relayed: line 6 delivers it"),
        ("out", "in", "mail for example.com is never delivered here: line 6 relays it"),
    ],
)
def test_domains_both_local_and_relayed(
    tmp_path: Path, first: str, second: str, fault: str
) -> None:
    text = HEAD + (
        f'match from any for domain <own> action "{first}"\n'
        f'match from any for domain {{ example.com, example.org }} action "{second}"\n'
    )
    [finding] = found_by(unreachable.unreachable, tmp_path, text)
    assert (finding.code, finding.line, finding.fault) == ("domain-both-ways", 7, fault)


def test_domains_with_a_way_for_each_sender(tmp_path: Path) -> None:
    rules = (
        'match from local for domain <own> action "in"\n'
        'match from any for domain <own> action "out"'
    )
    assert said(tmp_path, rules) == []


def test_rules_that_ask_for_tls(tmp_path: Path) -> None:
    text = (
        HEAD + 'match !tls from any for any reject\nmatch from any for domain <own> action "in"\n'
    )
    [finding] = found_by(unreachable.asking_for_tls, tmp_path, text)
    assert (finding.severity, finding.code, finding.line) == ("error", "rule-tls", FIRST)


def test_actions_without_rules(tmp_path: Path) -> None:
    text = HEAD + 'match from any for domain <own> action "in"\n'
    found = found_by(unreachable.unused, tmp_path, text)
    assert [(each.code, each.line) for each in found] == [
        ("action-unused", 4),
        ("action-unused", 5),
    ]


def test_rules_of_which_not_all_is_known(tmp_path: Path) -> None:
    text = HEAD + "match from any for domain <own> to-something-new\n"
    assert found_by(unreachable.unused, tmp_path, text) == []


def test_the_guide_is_well(tmp_path: Path) -> None:
    here = server(guide(tmp_path))
    for checker in (unreachable.unreachable, unreachable.asking_for_tls, unreachable.unused):
        assert list(checker(here)) == []
