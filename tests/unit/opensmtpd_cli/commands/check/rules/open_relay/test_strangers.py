"""Strangers: what they say, and where they come from."""

from ipaddress import ip_address
from pathlib import Path

import pytest

from opensmtpd_cli.commands.check.rules.open_relay import strangers
from opensmtpd_cli.commands.check.rules.open_relay.strangers import Guise, crowds, guises
from opensmtpd_cli.commands.check.rules.ruleset.matching import Ruleset
from opensmtpd_cli.commands.check.rules.ruleset.tables import Tables
from unit.support.smtpd_conf import read


def worn(folder: Path, conditions: str) -> list[Guise]:
    configuration = read(folder, f'action "a" relay\nmatch {conditions} action "a"\n')
    tables = Tables(configuration)
    rules = Ruleset(configuration.matches, tables, "here".__eq__, strangers.KEYS)
    return list(guises(rules.rules[0], rules, tables, [""]))


def networks(folder: Path, conditions: str, family: int = 0) -> list[str]:
    configuration = read(folder, f'action "a" relay\nmatch {conditions} action "a"\n')
    found = crowds(configuration.matches[0], Tables(configuration), family)
    return [str(crowd.network) for crowd in found]


def test_what_anybody_says(tmp_path: Path) -> None:
    plain = Guise(strangers.HELO, strangers.SENDER, strangers.RDNS, strangers.RECIPIENTS[0], "")
    assert worn(tmp_path, "from any for any")[0] == plain
    assert worn(tmp_path, 'from any for any mail-from "@"')[0] == plain


@pytest.mark.parametrize(
    ("conditions", "field", "said"),
    [
        ('mail-from "@example.com"', "sender", "somebody@example.com"),
        ('mail-from "al@example.com"', "sender", "al@example.com"),
        ('mail-from "al"', "sender", f"al@{strangers.HELO}"),
        ('mail-from "@*.example.com"', "sender", "somebody@x.example.com"),
        ('mail-from regex "^al.*@example[.]com$"', "sender", None),
        (r'mail-from regex "^al.*@example\.com$"', "sender", "alx@example.com"),
        ('helo "mx.example.com"', "helo", "mx.example.com"),
        ('helo "*.example.com"', "helo", "x.example.com"),
        ('!mail-from "@example.com"', "sender", strangers.SENDER),
        (f'!mail-from "{strangers.SENDER}"', "sender", "@"),
    ],
)
def test_what_a_rule_wants_to_hear(
    tmp_path: Path, conditions: str, field: str, said: str | None
) -> None:
    found = worn(tmp_path, f"from any for any {conditions}")
    assert [getattr(each, field) for each in found[:1]] == ([] if said is None else [said])


def test_names_in_the_dns(tmp_path: Path) -> None:
    assert {each.rdns for each in worn(tmp_path, "from rdns for any")} == {strangers.RDNS}
    assert {each.rdns for each in worn(tmp_path, "!from rdns for any")} == {"<unknown>"}
    named = worn(tmp_path, 'from rdns "mx.example.com" for any')
    assert {each.rdns for each in named} == {"mx.example.com"}


@pytest.mark.parametrize(
    "conditions",
    [
        "for domain example.com",
        "for domain '*.example.com'",
        "for rcpt-to '@example.com'",
        "for local",
    ],
)
def test_domains_of_its_own_are_for_everybody(tmp_path: Path, conditions: str) -> None:
    assert worn(tmp_path, f"from any {conditions}") == []


@pytest.mark.parametrize("domain", ["'*'", "'*.com'", "'*.*'", "regex { '[.]org$' }"])
def test_domains_of_others(tmp_path: Path, domain: str) -> None:
    assert len({each.recipient for each in worn(tmp_path, f"from any for domain {domain}")}) == 1


def test_huge_networks(tmp_path: Path) -> None:
    rows = "0.0.0.0/0, 203.0.113.0/8, 203.0.113.0/9, 10.0.0.0/8, 2000::/3, 2001:db8::/32"
    conditions = f"from src {{ {rows} }} for any"
    assert networks(tmp_path, conditions) == [
        "None", "None", "0.0.0.0/0", "203.0.0.0/8", "10.0.0.0/8", "2000::/3",
    ]  # fmt: skip
    assert networks(tmp_path, conditions, 6) == ["None", "2000::/3"]


def test_strangers_are_public(tmp_path: Path) -> None:
    configuration = read(
        tmp_path, 'action "a" relay\nmatch from src { 10.0.0.0/8, 0.0.0.0/0 } for any action "a"\n'
    )
    for crowd in crowds(configuration.matches[0], Tables(configuration), 0):
        for source in crowd.sources:
            assert ip_address(source.strip("[]")).is_global
        assert (crowd.sources == ()) is (str(crowd.network) == "10.0.0.0/8")
