"""What a backend has that says nothing else."""

import pytest

from opensmtpd.backends.network.backend import Backend
from opensmtpd.errors import ConfigError
from opensmtpd.needs import Needs
from opensmtpd.table import Service


class Small(Backend):
    path = "/etc/mail/small.conf"


def test_the_defaults() -> None:
    backend = Small()
    assert (backend.worker, backend.line, backend.reads) == (None, None, ())
    assert (backend.needs, backend.authenticates) == (Needs(), False)
    assert backend.patterns_question(Service.DOMAIN) is None
    assert backend.found(Service.ALIAS, [["x"]]) is True
    assert backend.found(Service.ALIAS, []) is False
    assert backend.found(Service.ALIAS, None) is False
    with pytest.raises(ConfigError) as caught:
        backend.fetch_question(Service.SOURCE)
    assert str(caught.value) == "/etc/mail/small.conf: no list for source"


def test_what_each_has_of_its_own() -> None:
    backend = Small()
    for call in (
        backend.plain,
        lambda: backend.question(Service.ALIAS, "bob"),
        lambda: backend.value(Service.ALIAS, None),
        lambda: backend.fetched(Service.SOURCE, None),
    ):
        with pytest.raises(NotImplementedError):
            call()
