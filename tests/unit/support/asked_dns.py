"""The resolver that a command of opensmtpd-plugins makes, and a zone in its place."""

from collections.abc import Mapping
from typing import Any

import pytest

from opensmtpd.dns import Question, Reply
from opensmtpd.dns import options as dns_options
from opensmtpd.testing import Zone


class Asked:
    """How the command makes its resolver."""

    options: Any = None


def asking(replies: Mapping[Question, Reply], monkeypatch: pytest.MonkeyPatch) -> Asked:
    """Have commands ask a zone of plain data; return how they want to ask."""
    found = Asked()

    def resolver(options: object) -> Zone:
        found.options = options
        return Zone(replies, cached=False)

    monkeypatch.setattr(dns_options, "resolver", resolver)
    return found
