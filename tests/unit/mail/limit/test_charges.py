"""What a message is charged to."""

from pathlib import Path

import pytest

from opensmtpd.mail.limit.charges import Charge, Names, charges, domain_of, recipient_charges
from opensmtpd.mail.limit.rules import LimitRules, Unit, Whose

NAMES: Names = {
    Whose.USER: ["bob"],
    Whose.ADDRESS: ["192.0.2.77"],
    Whose.NETWORK: ["192.0.2.0/24"],
    Whose.SENDER: ["bob@example.org"],
    Whose.SENDER_DOMAIN: ["example.org"],
    Whose.RECIPIENT_DOMAIN: ["example.com", "example.net"],
}


def rules(folder: Path, *lines: str) -> LimitRules:
    path = folder / "limits"
    path.write_text("\n".join(lines))
    return LimitRules(str(path))


def shown(found: list[Charge]) -> list[tuple[str, str, int]]:
    return [(each.rule.written, each.name, each.cost) for each in found]


def test_each_rule_and_each_name(tmp_path: Path) -> None:
    found = rules(
        tmp_path,
        "recipient-domain messages 1/1h",
        "user messages 2/1h",
        "user messages 3/1h",
        "user bytes 4/1h",
        "network messages 5/1h",
    )
    assert shown(charges(found, NAMES, Unit.MESSAGES, 1)) == [
        *[("2/1h", "bob", 1), ("3/1h", "bob", 1), ("5/1h", "192.0.2.0/24", 1)],
        *[("1/1h", "example.com", 1), ("1/1h", "example.net", 1)],
    ]
    assert shown(charges(found, NAMES, Unit.BYTES, 321)) == [("4/1h", "bob", 321)]
    assert charges(found, NAMES, Unit.RECIPIENTS, 1) == []
    assert charges(found, {}, Unit.MESSAGES, 1) == []


def test_nothing_is_charged_to_nobody(tmp_path: Path) -> None:
    found = rules(tmp_path, "user bytes 1/1h")
    assert charges(found, NAMES, Unit.BYTES, 0) == []


def test_the_key_of_a_charge(tmp_path: Path) -> None:
    [charge] = charges(rules(tmp_path, "user messages 9/1h burst 2"), NAMES, Unit.MESSAGES, 1)
    assert charge.key == ["user", "messages", "9/1h burst 2", "bob"]


@pytest.mark.parametrize(
    ("row", "expected"),
    [("192.0.2.64/28", []), ("192.0.2.0/28", [("1/1h", "192.0.2.0/24", 1)]), ("192.0.2.77", [])],
)
def test_a_row_that_is_narrower_than_the_network(
    tmp_path: Path, row: str, expected: list[tuple[str, str, int]]
) -> None:
    found = rules(tmp_path, "network messages 1/1h", f"network {row} messages unlimited")
    assert shown(charges(found, NAMES, Unit.MESSAGES, 1)) == expected


@pytest.mark.parametrize(("size", "cost"), [(1, 1), (200, 1), (201, 2), (1_000_000, 5000)])
def test_grains(tmp_path: Path, size: int, cost: int) -> None:
    [charge] = charges(rules(tmp_path, "user bytes 2000000/1s"), NAMES, Unit.BYTES, size)
    assert (charge.rule.grain, charge.cost) == (200, cost)


def test_recipients_are_charged_to_their_own_domains(tmp_path: Path) -> None:
    found = rules(
        tmp_path,
        "user recipients 1/1s pace",
        "recipient-domain recipients 2/1s pace",
        "recipient-domain example.net recipients unlimited",
    )
    recipients = [b"a@example.com", b"b@Example.COM.", b"c@example.net", b"root"]
    assert shown(recipient_charges(found, NAMES, recipients)) == [
        *[("1/1s", "bob", 4), ("2/1s", "example.com", 2)],
    ]


@pytest.mark.parametrize(
    ("addresses", "expected"),
    [
        ([], []),
        ([b"bob@Example.ORG"], ["example.org"]),
        ([b"a@x.example", b"b@y.example", b"c@X.example."], ["x.example", "y.example"]),
        ([b"root", b"@", b"bob@", b"bob@.", b""], []),
        ([b'"a@b"@example.org'], ["example.org"]),
        ([b"bob@[192.0.2.1]"], ["[192.0.2.1]"]),
        ([b"bob@ex\xffample.org"], ["ex\\xffample.org"]),
        ([b"bob@\xc3\x84rger.example"], ["\u00e4rger.example"]),
    ],
)
def test_domains(addresses: list[bytes], expected: list[str]) -> None:
    assert domain_of(addresses) == expected
