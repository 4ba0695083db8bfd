"""libldap is loaded without the package around it, or its absence is said in one line."""

import os
import sys

import pytest

from opensmtpd.backends.ldap import library
from opensmtpd.backends.ldap.library import LibLdap
from opensmtpd.errors import ConfigError
from unit.support.fake_ldap import FakeLdap


@pytest.fixture(autouse=True)
def anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LDAPNOINIT", "")
    monkeypatch.setenv("RES_OPTIONS", "")
    monkeypatch.delenv("RES_OPTIONS")
    library.library.cache_clear()


def test_it_is_loaded_without_its_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "_ldap", fake := FakeLdap())
    assert library.library().ldap is fake
    assert library.library() is library.library()
    assert (os.environ["LDAPNOINIT"], os.environ["RES_OPTIONS"]) == ("1", "timeout:1 attempts:1")
    library.library.cache_clear()


def test_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "_ldap", None)
    with pytest.raises(ConfigError) as caught:
        library.library()
    assert str(caught.value) == (
        "asking an LDAP server needs python-ldap; pip install 'opensmtpd-plugins[ldap]'"
    )


def test_its_exceptions_in_groups() -> None:
    found = LibLdap(fake := FakeLdap())
    assert fake.SERVER_DOWN in found.gone  # type: ignore[attr-defined]
    assert fake.INVALID_CREDENTIALS in found.refused  # type: ignore[attr-defined]
    assert not set(found.gone) & set(found.refused)
