"""The worker: it loads libldap, or says that it is missing."""

import sys

import pytest

from opensmtpd.backends.ldap import library
from opensmtpd.backends.ldap.connection import LdapConnection
from opensmtpd.backends.ldap.worker import LdapWorker
from opensmtpd.errors import ConfigError
from opensmtpd.needs import Needs
from unit.support.fake_ldap import FakeLdap


@pytest.fixture(autouse=True)
def anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LDAPNOINIT", "")
    monkeypatch.setenv("RES_OPTIONS", "")
    library.library.cache_clear()


def test_it_loads_libldap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "_ldap", fake := FakeLdap())
    worker = LdapWorker()
    worker.load(list(Needs(sockets=("/run/ldapi",))))
    assert library.library().ldap is fake
    assert worker.needs == Needs(sockets=("/run/ldapi",))
    assert (worker.title, LdapWorker.connection) == ("ldap", LdapConnection)
    library.library.cache_clear()


def test_libldap_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "_ldap", None)
    with pytest.raises(ConfigError, match=r"needs python-ldap; pip install .*\[ldap\]"):
        LdapWorker().load(list(Needs()))
