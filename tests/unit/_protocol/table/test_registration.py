"""Mistakes in a table's services are found before smtpd hears of them."""

from typing import Any

import pytest

from opensmtpd._protocol.table.connection import TableConnection
from opensmtpd._protocol.table.registration import check_methods, check_services
from opensmtpd.errors import LocalError
from opensmtpd.table import Service, Table

ALL = (
    "alias, domain, credentials, netaddr, userinfo, source, mailaddr, addrname, mailaddrmap,"
    " relayhost, string, regex, auth"
)


def answer(*_: object) -> None:
    """Stand for a method of a table."""


def table(*methods: str, services: Any = (Service.ALIAS,)) -> Table:
    """Return a table that has these methods."""
    body = {**dict.fromkeys(methods, answer), "services": services}
    return type("Some", (Table,), body)()  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("services", "reason"),
    [
        (
            ("alias", "aliases"),
            f"Some.services: no service is 'aliases', but {ALL}; did you mean alias?",
        ),
        (("xyz",), f"Some.services: no service is 'xyz', but {ALL}"),
        ([Service.DOMAIN, 7], f"Some.services: no service is 7, but {ALL}"),
        (Service.ALIAS, "Some.services is a str; write a tuple, even of one service"),
        ("alias", "Some.services is a str; write a tuple, even of one service"),
    ],
)
def test_services_that_are_none(services: Any, reason: str) -> None:
    some = table("lookup", services=services)
    for check in (check_services, TableConnection):
        with pytest.raises(LocalError) as caught:
            check(some)
        assert str(caught.value) == reason


@pytest.mark.parametrize(
    ("methods", "services", "reason"),
    [
        ([], ["alias"], "Some has neither lookup nor check"),
        (["fetch"], ["source", "alias"], "Some has neither lookup nor check"),
        (["look_up"], ["alias"], "Some has neither lookup nor check; is look_up one of them,"),
        (["chek"], ["domain"], "Some has neither lookup nor check; is chek one of them, misspelt?"),
        ([], ["relayhost"], "Some has neither lookup nor check nor fetch"),
        ([], ["auth"], "Some has neither lookup nor check nor authenticate"),
        (["authenticate"], ["auth", "alias"], "Some has neither lookup nor check"),
        (
            ["fetsh"],
            ["source"],
            "Some has neither lookup nor check nor fetch; is fetsh one of them, misspelt?",
        ),
    ],
)
def test_a_table_that_could_answer_nothing(
    methods: list[str], services: list[str], reason: str
) -> None:
    with pytest.raises(LocalError) as caught:
        check_methods(table(*methods, services=services))
    assert str(caught.value).startswith(reason)


@pytest.mark.parametrize(
    ("methods", "services"),
    [
        (["lookup"], tuple(Service)),
        (["lookup"], {"alias", Service.AUTH}),
        (["check"], [Service.DOMAIN]),
        (["lookup"], [Service.SOURCE]),
        (["fetch"], [Service.SOURCE, Service.RELAYHOST]),
        (["authenticate"], [Service.AUTH]),
        ([], ()),
    ],
)
def test_services_that_are_served(methods: list[str], services: Any) -> None:
    check_services(table(*methods, services=services))
    check_methods(table(*methods, services=services))


def test_a_method_of_the_object_counts() -> None:
    some = table()
    some.lookup = answer  # type: ignore[method-assign,assignment]
    check_methods(some)
