"""The options that say whom to judge, and what follows from it."""

import argparse
from pathlib import Path

import pytest

from opensmtpd.errors import ConfigError
from opensmtpd.mail.inbound import options
from opensmtpd.mail.inbound.rules import InboundRules
from unit.support.mail_client import client


def parsed(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(exit_on_error=False)
    options.add(parser)
    return parser.parse_args(words)


def test_by_default_nothing_follows() -> None:
    flags = parsed()
    rules = options.rules(flags)
    assert rules._replace(forwarders=InboundRules().forwarders) == InboundRules()
    assert options.files(flags) == ()
    assert client("192.0.2.5") not in options.exempt(flags)
    assert client("192.0.2.5") not in rules.forwarders


def test_all_of_them(tmp_path: Path) -> None:
    (tmp_path / "policies").write_text("example.net quarantine\n")
    (tmp_path / "networks").write_text("192.0.2.0/24\n")
    networks = str(tmp_path / "networks")
    flags = parsed(
        *("--enforce", "--policy", str(tmp_path / "policies"), "--protect-own", "Example.COM."),
        *("--several-from", "junk", "--no-from", "reject", "--weak", "--trust-sealer", "a.example"),
        *("--forwarder", networks, "--exempt", networks, "--trust-sealer", "b.example"),
    )
    rules = options.rules(flags)
    assert rules._replace(forwarders=InboundRules().forwarders) == InboundRules(
        enforce=True,
        policies={"example.net": "quarantine"},
        protected=frozenset(["example.com"]),
        several_authors="quarantine",
        no_author="reject",
        sealers=frozenset(["a.example", "b.example"]),
        weak=True,
    )
    assert client("192.0.2.5") in rules.forwarders
    assert client("192.0.2.5") in options.exempt(flags)
    assert set(options.files(flags)) == {networks, str(tmp_path / "policies")}


@pytest.mark.parametrize(
    ("words", "several", "nobody"),
    [
        ((), "none", "none"),
        (("--enforce",), "reject", "reject"),
        (("--enforce", "--several-from", "accept"), "none", "reject"),
        (("--enforce", "--no-from", "junk"), "reject", "quarantine"),
        (("--no-from", "reject"), "none", "reject"),
    ],
)
def test_authors_that_are_not_clear(words: tuple[str, ...], several: str, nobody: str) -> None:
    rules = options.rules(parsed(*words))
    assert (rules.several_authors, rules.no_author) == (several, nobody)


def test_organizational_domains_by_public_suffixes() -> None:
    suffix = options.rules(parsed("--psl")).suffix
    assert suffix is not None
    assert suffix("a.b.example.co.uk") == "example.co.uk"


@pytest.mark.parametrize(
    "words",
    [("--protect-own", "a..b"), ("--trust-sealer", ""), ("--several-from", "drop")],
)
def test_values_without_meaning(words: tuple[str, ...]) -> None:
    with pytest.raises(argparse.ArgumentError):
        parsed(*words)


def test_the_dns_has_less_than_half_of_the_time() -> None:
    assert options.deadline(argparse.Namespace(dns_deadline=20.0, deadline=60.0)) == 20.0
    with pytest.raises(ConfigError, match=r"^--dns-deadline is not below half of --deadline; "):
        options.deadline(argparse.Namespace(dns_deadline=30.0, deadline=60.0))
