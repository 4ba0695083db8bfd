"""A plugin that its program would not start is refused by the test kit, too."""

from collections.abc import Callable
from typing import Any

import pytest

from opensmtpd.errors import LocalError
from opensmtpd.filter import Filter
from opensmtpd.table import Service, Table
from opensmtpd.testing import ask, filter_connection, run_message, table_connection

FILTER = pytest.mark.parametrize("use", [run_message, filter_connection])
TABLE = pytest.mark.parametrize(
    "use", [lambda table: ask(table, "lookup", "alias", "sales"), table_connection]
)
Use = Callable[[Any], object]


class LooksUp(Table):
    services = (Service.ALIAS,)

    def look_up(self, service: Service, key: str) -> str:
        return key


class OneService(Table):
    services = Service.ALIAS  # type: ignore[assignment]  # the mistake under test

    def lookup(self, service: Service, key: str) -> str:
        return key


@TABLE
@pytest.mark.parametrize(
    ("table", "text"),
    [
        (
            LooksUp(),
            "LooksUp has neither lookup nor check; is look_up one of them, misspelt?",
        ),
        (OneService(), "OneService.services is a str; write a tuple, even of one service"),
    ],
)
def test_a_table(use: Use, table: Table, text: str) -> None:
    with pytest.raises(LocalError) as caught:
        use(table)
    assert str(caught.value) == text


@FILTER
def test_a_filter(use: Use) -> None:
    class Some(Filter):
        uses = ("username")  # type: ignore[assignment]  # the mistake under test  # fmt: skip

    with pytest.raises(LocalError) as caught:
        use(Some())
    assert str(caught.value) == "Some.uses is a str; write a tuple, even of one name"


@FILTER
def test_no_filter(use: Use) -> None:
    with pytest.raises(TypeError) as caught:
        use(Filter)
    assert str(caught.value) == "a filter is an object: write Filter(), not Filter"
    with pytest.raises(TypeError) as caught:
        use(LooksUp())
    assert str(caught.value) == "a filter inherits from Filter, and LooksUp not"


@TABLE
def test_no_table(use: Use) -> None:
    with pytest.raises(TypeError) as caught:
        use(LooksUp)
    assert str(caught.value) == "a table is an object: write LooksUp(), not LooksUp"


def test_a_message_that_is_a_str() -> None:
    with pytest.raises(TypeError) as caught:
        run_message(Filter(), "Subject: hi\n\nx\n")  # type: ignore[arg-type]
    assert str(caught.value) == "message is bytes, not str"
