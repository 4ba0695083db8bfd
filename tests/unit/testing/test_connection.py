"""A filter or a table behind the protocol, as ``Driver`` drives it."""

from typing import Literal

import pytest

from opensmtpd.errors import LocalError
from opensmtpd.filter import Connect, Filter, PhaseDecision, Session
from opensmtpd.table import Service, Table
from opensmtpd.testing import Driver, Smtpd, TableSmtpd, filter_connection, table_connection


class Fails(Filter):
    def on_connect(self, session: Session, request: Connect) -> PhaseDecision:
        raise ValueError("a bug")


@pytest.mark.parametrize(
    ("on_failure", "reply"),
    [
        ("tempfail", b"451 4.3.0 Temporary failure, please try again later"),
        ("pass", b"220 example.com ESMTP OpenSMTPD"),
    ],
)
def test_a_filter_that_fails(on_failure: Literal["tempfail", "pass"], reply: bytes) -> None:
    smtpd = Smtpd("7.6.0")
    driver = Driver(filter_connection(Fails(), on_failure=on_failure), smtpd.receive)
    driver.feed(smtpd.data_to_send())
    client = smtpd.connect()
    driver.feed(smtpd.data_to_send())
    assert client.replies[-1] == reply


def test_a_filter_that_uses_what_no_session_has() -> None:
    class Misspelt(Filter):
        uses = ("rdsn",)  # type: ignore[assignment]  # what a type checker would find

    with pytest.raises(LocalError, match="rdns"):
        filter_connection(Misspelt())


def test_a_table() -> None:
    class One(Table):
        services = (Service.ALIAS,)

        def lookup(self, service: Service, key: str) -> str | None:
            return "alice" if key == "root" else None

    smtpd = TableSmtpd("7.9.0")
    driver = Driver(table_connection(One()), smtpd.receive)
    driver.feed(smtpd.data_to_send())
    for key in ("root", "bob"):
        smtpd.ask("lookup", "alias", key)
        driver.feed(smtpd.data_to_send())
    assert [(answer.result, answer.value) for answer in smtpd.answers] == [
        ("found", "alice"), ("not-found", ""),
    ]  # fmt: skip
