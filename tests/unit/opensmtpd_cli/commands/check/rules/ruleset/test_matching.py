"""Which rule smtpd takes: conditions one by one, in the order of ruleset.c."""

from pathlib import Path

import pytest

from opensmtpd_cli.commands.check.rules.ruleset.matching import Envelope, Ruleset
from opensmtpd_cli.commands.check.rules.ruleset.tables import Tables
from opensmtpd_cli.errors import Unsure
from unit.support.smtpd_conf import read

CLIENT = Envelope(
    "bob@foreign.example", False, "192.0.2.7", "mx.example.net", "helo.example", "al@example.net",
    "EXT", False,
)  # fmt: skip


def ruleset(folder: Path, rules: str, strangers: frozenset[str] = frozenset()) -> Ruleset:
    text = f'table far sqlite:/etc/far.conf\naction "a" relay\n{rules}\n'
    configuration = read(folder, text)
    assert configuration.rest == []
    return Ruleset(configuration.matches, Tables(configuration), "here.example".__eq__, strangers)


def holds(folder: Path, conditions: str, envelope: Envelope = CLIENT) -> bool:
    rules = ruleset(folder, f'match {conditions} action "a"')
    return rules.first(envelope) is not None


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ("from any for any", True),
        ("for any", False),
        ("from any", False),
        ("from local for any", False),
        ("!from local for any", True),
        ("!from any for any", False),
        ("from socket for any", False),
        ("!from socket for any", True),
        ("from src 192.0.2.7 for any", True),
        ("from src { 192.0.2.0/24 } for any", True),
        ("from src { 0.0.0.0/0 } for any", True),
        ("from src { ::/0 } for any", False),
        ("!from src { 192.0.2.0/24 } for any", False),
        ("from src regex { '^192' } for any", True),
        ("from rdns for any", True),
        ("!from rdns for any", False),
        ("from rdns mx.example.net for any", True),
        ("from rdns '*.example.net' for any", False),
        ("from rdns regex { '[.]net$' } for any", True),
        ("from auth for any", False),
        ("!from auth for any", True),
        ("from mail-from 'al@example.net' for any", True),
        ("!from mail-from '@example.net' for any", False),
        ("from any for local", False),
        ("from any !for local", True),
        ("from any for domain foreign.example", True),
        ("from any for domain '*.example'", True),
        ("from any !for domain { a.example, b.example }", True),
        ("from any for domain regex { 'foreign' }", True),
        ("from any for rcpt-to '@foreign.example'", True),
        ("from any !for rcpt-to '@foreign.example'", False),
        ("from any for rcpt-to regex { '^bob' }", True),
        ("auth from any for any", False),
        ("!auth from any for any", True),
        ("helo helo.example from any for any", True),
        ("!helo helo.example from any for any", False),
        ("mail-from '@example.net' from any for any", True),
        ("rcpt-to 'bob@' from any for any", True),
        ("tag EXT from any for any", True),
        ("tag OTHER from any for any", False),
        ("!tag OTHER from any for any", True),
    ],
)
def test_a_condition(tmp_path: Path, conditions: str, expected: bool) -> None:
    assert holds(tmp_path, conditions) is expected


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ("for any", True),
        ("from any for any", True),
        ("from socket for any", False),
        ("!from socket for any", False),
        ("from rdns for any", False),
        ("from src 192.0.2.7 for any", False),
    ],
)
def test_what_an_alias_leads_to_comes_from_the_machine_itself(
    tmp_path: Path, conditions: str, expected: bool
) -> None:
    assert holds(tmp_path, conditions, Envelope("bob@foreign.example", internal=True)) is expected


def test_a_client_without_a_name(tmp_path: Path) -> None:
    nameless = CLIENT._replace(rdns="<unknown>")
    assert not holds(tmp_path, "from rdns for any", nameless)
    assert holds(tmp_path, "!from rdns for any", nameless)
    for negation in ("", "!"):  # with a table the rule is skipped either way
        assert not holds(tmp_path, f"{negation}from rdns mx.example.net for any", nameless)


def test_the_first_rule_counts(tmp_path: Path) -> None:
    rules = ruleset(
        tmp_path,
        'match from any mail-from "al@example.net" for any reject\n'
        'match from any for any action "a"',
    )
    first, second = rules.rules
    assert rules.first(CLIENT) is first
    assert rules.first(CLIENT._replace(sender="eve@example.net")) is second


@pytest.mark.parametrize(
    "conditions",
    [
        "tls from any for any",
        "!tls from any for any",
        "from any for domain <far>",
        "from src <far> for any",
    ],
)
def test_what_cannot_be_known(tmp_path: Path, conditions: str) -> None:
    with pytest.raises(Unsure):
        holds(tmp_path, conditions)


def test_conditions_before_the_one_that_cannot_be_known(tmp_path: Path) -> None:
    assert not holds(tmp_path, "tls tag OTHER from any for any")
    assert not holds(tmp_path, "tls auth from any for any")
    assert not holds(tmp_path, "from any for domain foreign.example helo x.example tls")


def test_nobody_has_heard_of_strangers(tmp_path: Path) -> None:
    rules = ruleset(
        tmp_path, 'match from any for domain <far> action "a"', frozenset(["foreign.example"])
    )
    assert rules.first(CLIENT) is None


def test_what_is_not_known_of_an_envelope(tmp_path: Path) -> None:
    for conditions in (
        "helo x from any for any",
        "tag x from any for any",
        "auth from any for any",
    ):
        with pytest.raises(Unsure):
            holds(tmp_path, conditions, Envelope("bob@foreign.example", internal=True))
