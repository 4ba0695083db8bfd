"""The limits of smtpd, as its source has them."""

from opensmtpd.table import limits


def test_limits() -> None:
    assert limits.KEY_MAX == 1023
    assert limits.ID_MAX == 4294967295
    assert limits.HOME_MAX == 2025  # of 2047 bytes, 22 are for the longest ids and the colons
