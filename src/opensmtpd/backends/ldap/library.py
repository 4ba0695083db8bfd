"""The library libldap, by the part of python-ldap that is written in C.

The package around it, ``ldap``, is not loaded: it takes a tenth of a second and 10 MB for what is
not needed here.
"""

import os
from functools import cache
from importlib import import_module
from typing import Any

from opensmtpd.errors import ConfigError


class LibLdap:
    """libldap, and the exceptions that it raises in groups."""

    def __init__(self, module: Any) -> None:
        self.ldap = module
        self.gone: tuple[type[Exception], ...] = (
            module.SERVER_DOWN,
            module.CONNECT_ERROR,
            module.UNAVAILABLE,
            module.LOCAL_ERROR,
            module.ENCODING_ERROR,
            module.DECODING_ERROR,
        )
        """Faults after which a connection is of no use."""
        self.refused: tuple[type[Exception], ...] = (
            module.INVALID_CREDENTIALS,
            module.INAPPROPRIATE_AUTH,
            module.NO_SUCH_OBJECT,
            module.UNWILLING_TO_PERFORM,
            module.CONSTRAINT_VIOLATION,
        )
        """Results of a bind that say no for good: the password is wrong or none, or is locked."""


@cache
def library() -> LibLdap:
    """Load it. Its own configuration, ldap.conf(5), is not read. Raises ConfigError.

    When it is loaded it asks for the address of this machine (``ldap_pvt_get_fqdn`` in OpenLDAP's
    ``util-int.c``), and smtpd waits: by default for 20 seconds, where no name server answers.
    """
    os.environ["LDAPNOINIT"] = "1"
    os.environ.setdefault("RES_OPTIONS", "timeout:1 attempts:1")
    try:
        return LibLdap(import_module("_ldap"))
    except ImportError:
        remedy = "pip install 'opensmtpd-plugins[ldap]'"
        raise ConfigError("asking an LDAP server needs python-ldap", remedy=remedy) from None
