"""The checks of filter-rdns: what they find against a client, and in which words."""

from collections.abc import Mapping

import pytest

from opensmtpd.answer import Deferred
from opensmtpd.dns import Failed, Found, Question, RecordType, Reply, run_lookup
from opensmtpd.mail.client import MAPPED, Client
from opensmtpd.mail.policy.checks import CHECKS, PolicyFinding, helo_findings, name_findings
from opensmtpd.testing.zone import Zone
from unit.support.mail_client import client

NO_NAME = "was looked up by smtpd as an IPv4-mapped address, which has no name"

# --- the name in the DNS --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "fcrdns", "findings"),
    [
        ("mail.example.net", "pass", []),
        (
            "mail.example.net",
            "fail",
            [PolicyFinding("fcrdns", "mail.example.net does not lead to 192.0.2.5")],
        ),
        (
            "mail.example.net",
            "error",
            [PolicyFinding("fcrdns", "mail.example.net could not be looked up", True)],
        ),
        (
            None,
            "fail",
            [
                PolicyFinding("rdns", "192.0.2.5 has no name in the DNS"),
                PolicyFinding("fcrdns", "192.0.2.5 has no name in the DNS"),
            ],
        ),
        (
            None,
            "error",
            [
                PolicyFinding("rdns", "192.0.2.5 could not be looked up", True),
                PolicyFinding("fcrdns", "192.0.2.5 could not be looked up", True),
            ],
        ),
        (
            None,
            MAPPED,
            [
                PolicyFinding("rdns", f"192.0.2.5 {NO_NAME}", True),
                PolicyFinding("fcrdns", f"192.0.2.5 {NO_NAME}", True),
            ],
        ),
        ("", "fail", [PolicyFinding("fcrdns", "an empty name does not lead to 192.0.2.5")]),
        ("", "error", [PolicyFinding("fcrdns", "an empty name could not be looked up", True)]),
        # smtpd's "pass" of a name that reads like an address, which is no name.
        (None, "pass", [PolicyFinding("rdns", "192.0.2.5 has no name in the DNS")]),
    ],
)
@pytest.mark.parametrize("dynamic", [False, True])
def test_what_is_found_about_a_name(
    name: str | None, fcrdns: str, dynamic: bool, findings: list[PolicyFinding]
) -> None:
    assert list(name_findings(client("192.0.2.5", name, fcrdns), dynamic)) == findings


def test_a_name_that_looks_dynamic_is_found_only_if_asked_for() -> None:
    some = client("192.0.2.5", "192-0-2-5.example.net", "fail")
    lying = PolicyFinding("fcrdns", "192-0-2-5.example.net does not lead to 192.0.2.5")
    dynamic = "192-0-2-5.example.net looks dynamic: the address stands in it"
    assert list(name_findings(some, False)) == [lying]
    assert list(name_findings(some, True)) == [lying, PolicyFinding("dynamic", dynamic)]
    word = client("2001:db8::5", "a.dsl.example.net")
    assert list(name_findings(word, True)) == [
        PolicyFinding("dynamic", "a.dsl.example.net looks dynamic: 'dsl' stands in it")
    ]


def test_without_an_address_no_name_looks_dynamic() -> None:
    some = client("192.0.2.5", "a.dsl.example.net")._replace(address=None)
    assert list(name_findings(some, True)) == []


# --- HELO -----------------------------------------------------------------------------------------


def found(
    some: Client, records: Mapping[Question, Reply], ask: bool = True
) -> tuple[list[PolicyFinding], list[str]]:
    """Return the findings, and the questions that it took."""
    zone = Zone(records)
    findings = run_lookup(helo_findings(some, {"mx.example", "example.com"}, ask), zone, 1)
    assert not isinstance(findings, Deferred)
    return findings, [f"{question.name} {question.kind}" for question in zone.asked]


ASKED = ["mail.example.net A", "mail.example.net AAAA", "mail.example.net MX"]


@pytest.mark.parametrize(
    ("reply", "findings"),
    [
        (Found(("192.0.2.5",)), []),
        (None, [PolicyFinding("helo-dns", "mail.example.net is not in the DNS")]),
        (
            Failed("timeout"),
            [PolicyFinding("helo-dns", "mail.example.net could not be looked up", True)],
        ),
    ],
)
def test_a_full_name_is_asked_for(reply: Reply | None, findings: list[PolicyFinding]) -> None:
    some = client("192.0.2.5", helo=b"Mail.Example.NET.")
    records = {} if reply is None else {Question("mail.example.net", RecordType.A): reply}
    assert found(some, records) == (findings, ASKED)
    assert found(some, records, ask=False) == ([], [])


@pytest.mark.parametrize(
    ("helo", "findings"),
    [
        (b"[192.0.2.5]", []),
        (b"[IPv6:2001:db8::5]", []),
        (b"[192.168.0.1]", [PolicyFinding("helo-ours", "[192.168.0.1] is this server")]),
        (b"[IPv6:::1]", [PolicyFinding("helo-ours", "[ipv6:::1] is this server")]),
        (b"[224.0.0.1]", [PolicyFinding("helo-name", "[224.0.0.1] is no address of a host")]),
        (
            b"a b",
            [
                PolicyFinding("helo-name", "a b is no full host name"),
                PolicyFinding("helo-dns", "a b is not in the DNS"),
            ],
        ),
        (
            b"\xff|x",
            [
                PolicyFinding("helo-name", "\\xff|x is no full host name"),
                PolicyFinding("helo-dns", "\\xff|x is not in the DNS"),
            ],
        ),
        *(
            (
                empty,
                [
                    PolicyFinding("helo-name", "an empty name is no full host name"),
                    PolicyFinding("helo-dns", "an empty name is not in the DNS"),
                ],
            )
            for empty in (b"", b".")
        ),
    ],
)
def test_what_cannot_be_asked_for_is_not(helo: bytes, findings: list[PolicyFinding]) -> None:
    assert found(client("192.0.2.5", helo=helo), {}) == (findings, [])


def test_a_client_without_a_helo() -> None:
    assert found(client("192.0.2.5"), {}, ask=False) == (
        [PolicyFinding("helo-name", "an empty name is no full host name")],
        [],
    )


def test_our_names_are_no_clients() -> None:
    ours = PolicyFinding("helo-ours", "mx.example is this server")
    assert found(client("192.0.2.5", helo=b"MX.example"), {}, ask=False) == ([ours], [])


# --- the texts ------------------------------------------------------------------------------------


def test_the_checks_and_their_refusals() -> None:
    assert {name: (check.phase, check.refusal) for name, check in CHECKS.items()} == {
        "rdns": ("connect", "7.25 Reverse DNS validation failed"),
        "fcrdns": ("connect", "7.25 Reverse DNS validation failed"),
        "dynamic": ("connect", "7.1 Mail from dynamic addresses is not accepted here"),
        "helo-name": ("helo", "5.2 A full host name is expected"),
        "helo-ours": ("helo", "7.1 That is not your name"),
        "helo-dns": ("helo", "7.1 The name of your host is not in the DNS"),
    }
