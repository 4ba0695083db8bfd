"""The answers of handlers that are no decision: work for a thread."""

import pytest

from opensmtpd.answer import Offload
from opensmtpd.errors import DecisionError
from opensmtpd.filter import (
    PROCEED,
)


@pytest.mark.parametrize("work", [None, PROCEED, [b"X: y"], b"x"])
def test_offload_takes_functions_only(work: object) -> None:
    with pytest.raises(DecisionError):
        Offload(work)  # type: ignore[arg-type]
