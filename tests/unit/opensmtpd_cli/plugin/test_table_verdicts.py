"""smtpd's verdicts on the lines of a table, without a table."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd.errors import RemoteError
from opensmtpd.table import Service
from opensmtpd_cli.plugin.table_verdicts import TableOutcome, answer, registration


@pytest.mark.parametrize(
    ("service", "value", "effect"),
    [
        (Service.ALIAS, "bob", "delivers to user bob"),
        (Service.ALIAS, " , ", "goes on without an alias"),
        (
            Service.CREDENTIALS,
            "a:b",
            "for a login, 192.0.2.7: the password is no hash, to which smtpd compares it: nobody"
            " can log in; write what 'smtpctl encrypt' makes",
        ),
        (Service.CREDENTIALS, "a:$6$salt$" + 86 * "a", ""),
        (Service.USERINFO, "1:2:/home", "uid 1, gid 2, home /home"),
        (Service.MAILADDRMAP, "a@b,@c", "may send as a@b, @c"),
        (Service.SOURCE, "192.0.2.1", ""),
        (Service.ADDRNAME, "mx.example.org", ""),
        (Service.RELAYHOST, "smtp://mx.example.org", ""),
        (Service.DOMAIN, "x", "only checks domain, and asks for no value"),
    ],
)
def test_found(service: Service, value: str, effect: str) -> None:
    line = f"lookup-result|1|found|{value}".encode()
    assert answer("lookup", service, "1", line, key="192.0.2.7") == (
        TableOutcome.FOUND,
        value,
        effect,
    )


@pytest.mark.parametrize(
    ("service", "value"),
    [
        (Service.ALIAS, "it's"),
        (Service.ALIAS, "a\r"),
        (Service.CREDENTIALS, "ab"),
        (Service.SOURCE, "mx.example.org"),
        (Service.ADDRNAME, "mx.example.org"),
        (Service.RELAYHOST, "x" * 2048),
    ],
)
def test_values_that_smtpd_cannot_read(service: Service, value: str) -> None:
    line = f"lookup-result|1|found|{value}".encode()
    verdict = answer("lookup", service, "1", line, key="example.org")
    if value != "a\r":  # white space around a destination goes
        assert verdict.outcome is TableOutcome.ERROR
        assert verdict.value.startswith("smtpd cannot read this value: ")
    else:
        assert verdict.effect == "delivers to user a"


def test_an_ipv6_source_before_7_9() -> None:
    line = b"fetch-result|1|found|2001:db8::1"
    assert answer("fetch", Service.SOURCE, "1", line).outcome is TableOutcome.FOUND
    assert answer("fetch", Service.SOURCE, "1", line, six=False).outcome is TableOutcome.ERROR


@pytest.mark.parametrize("service", Service)
def test_each_service_has_its_effects(service: Service) -> None:
    missing = answer("check", service, "1", b"check-result|1|not-found")
    failed = answer("check", service, "1", b"check-result|1|error|why")
    assert (missing.outcome, failed.outcome) == (TableOutcome.NOT_FOUND, TableOutcome.ERROR)
    assert missing.effect
    assert failed.effect
    assert failed.value == "why"


def test_a_nul_ends_a_line() -> None:
    assert (
        answer("lookup", Service.ALIAS, "1", b"lookup-result|1|not-found\0x").outcome == "not found"
    )
    assert registration(b"register|alias\0|") is Service.ALIAS


@given(st.binary(), st.sampled_from(["lookup", "check", "fetch"]), st.sampled_from(list(Service)))
def test_anything_has_a_verdict(tail: bytes, verb: str, service: Service) -> None:
    for line in (tail, b"%s-result|1|%s" % (verb.encode(), tail)):
        assert answer(verb, service, "1", line).outcome in TableOutcome


def test_registrations() -> None:
    assert registration(b"register|mailaddrmap") is Service.MAILADDRMAP
    assert registration(b"register|ready") is None
    for line in (b"", b"register", b"register|", b"register|alias ", b"register|none", b"\xff"):
        with pytest.raises(RemoteError, match=r"^table-proc: "):
            registration(line)
