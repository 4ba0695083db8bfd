"""What is expected of text that can never be used."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from opensmtpd.errors import PermError


@contextmanager
def perm_error(reason: str) -> Iterator[None]:
    """Expect a PermError with this reason."""
    with pytest.raises(PermError) as caught:
        yield
    assert str(caught.value) == reason


@contextmanager
def any_perm_error() -> Iterator[None]:
    """Allow a PermError, and no other exception, whose reason can be logged."""
    reasons: list[str] = []
    with suppress(PermError):
        try:
            yield
        except PermError as error:
            reasons.append(str(error))
            raise
    assert all(reason.isascii() and reason.isprintable() for reason in reasons)
