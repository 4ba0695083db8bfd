"""The base class of tables."""

import pytest

from opensmtpd.table import Service, Table


def test_what_a_table_is_that_says_nothing() -> None:
    table = Table()
    assert (tuple(table.services), table.delimiter, table.force_auth) == ((), "+", False)
    assert table.patterns(Service.DOMAIN) is None
    table.update()
    with table.snapshot():
        pass
    with pytest.raises(NotImplementedError):
        table.lookup(Service.ALIAS, "x")
    with pytest.raises(NotImplementedError):
        table.fetch(Service.SOURCE)
