"""TLS is loaded where it is used."""

import sys

import pytest

from opensmtpd.backends.network.tls_loading import loaded_tls
from opensmtpd.errors import ConfigError


def test_it_is_the_module() -> None:
    from opensmtpd.backends.network import tls

    assert loaded_tls() is tls


@pytest.mark.parametrize("fault", [ImportError("no"), PermissionError(13, "Permission denied")])
def test_it_cannot_be_loaded_any_more(monkeypatch: pytest.MonkeyPatch, fault: Exception) -> None:
    """In the sandbox, files of Python's own cannot be read."""

    class Refusing:
        def find_spec(self, name: str, *_: object) -> None:
            raise fault

    monkeypatch.delattr("opensmtpd.backends.network.tls", raising=False)
    monkeypatch.delitem(sys.modules, "opensmtpd.backends.network.tls", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Refusing()])
    with pytest.raises(ConfigError, match="TLS was not in use at the start; restart smtpd"):
        loaded_tls()
