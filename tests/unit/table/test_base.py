"""The base class of tables."""

import pytest

from opensmtpd.table import Service, Table


def test_what_a_table_is_that_says_nothing() -> None:
    table = Table()
    assert (tuple(table.services), table.delimiter, table.force_auth) == ((), "+", False)
    assert table.patterns(Service.DOMAIN) is None
    table.update()
    assert (table.start(), table.stop()) == (None, None)
    with table.snapshot():
        pass
    with pytest.raises(NotImplementedError):
        table.lookup(Service.ALIAS, "x")
    with pytest.raises(NotImplementedError):
        table.fetch(Service.SOURCE)
    with pytest.raises(NotImplementedError):
        table.lookup_many(Service.DOMAIN, ["x"])
    with pytest.raises(NotImplementedError):
        table.check_many(Service.DOMAIN, ["x"])
    with pytest.raises(NotImplementedError):
        table.check(Service.ALIAS, "x")


def test_a_snapshot_hides_no_exception() -> None:
    def fails() -> None:
        with Table().snapshot():
            raise KeyError("x")

    with pytest.raises(KeyError):
        fails()


def test_what_one_table_sets_no_other_has() -> None:
    one, other = Table(), Table()
    one.services, one.delimiter, one.force_auth = [Service.AUTH], "-", True
    assert (tuple(other.services), other.delimiter, other.force_auth) == ((), "+", False)
    assert (tuple(Table.services), Table.delimiter, Table.force_auth) == ((), "+", False)
