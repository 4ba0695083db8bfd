"""The orders to the worker that writes copies."""

from opensmtpd.mail.archive import orders


def test_orders_differ() -> None:
    assert len({orders.WRITE, orders.ACCEPT, orders.DROP, orders.RECOVER}) == 4
