"""The configuration file of table-ldap.

Source: ``ldap_config`` in ``table_ldap.c`` 1.0, whose keys are all here.
"""

import os
from collections.abc import Callable

from opensmtpd.backends.configuration import absolute, take, yes
from opensmtpd.backends.ldap.backend import PLAIN_SERVICES, LdapBackend, LdapSearch
from opensmtpd.backends.ldap.filters import SearchFilter
from opensmtpd.backends.ldap.url import LdapUrl, url
from opensmtpd.backends.network.settings import Settings
from opensmtpd.backends.secrets import read_password, warn_if_readable
from opensmtpd.errors import ConfigError
from opensmtpd.files import reading
from opensmtpd.log import log
from opensmtpd.table import Service, to_str

LOOKED_UP = {
    Service.ALIAS: 1,
    Service.CREDENTIALS: 2,
    Service.USERINFO: 3,
    Service.MAILADDRMAP: 1,
    Service.ADDRNAME: 1,
    Service.SOURCE: 1,
    Service.RELAYHOST: 1,
}
"""Services whose values count, and the number of attributes that these are made of.

Of the others smtpd only asks whether there is an entry.
"""

AUTHORITIES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/ssl/cert.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
)
"""Where systems keep the certificates of authorities: libldap does not know it."""


def read(path: str) -> LdapBackend:
    """Read a configuration file. Raises ConfigError."""
    return ConfigFile(path).backend()


class ConfigFile:
    """The lines of a configuration file."""

    def __init__(self, path: str) -> None:
        """Raises ConfigError."""
        self.path = path
        self.settings = Settings()
        self._texts: dict[str, str] = {}
        self._lines: dict[str, int] = {}
        take(path, self._set, self.settings.set)

    def _set(self, key: str, value: str, line: int) -> bool:
        """Take a line, as a Setter of ``configuration.take``. Raises ValueError."""
        if key not in _READERS:
            return False
        if key in self._texts:  # the first one counts, as in C
            reason = f"it stands in line {self._lines[key]}, too"
            log("key-ignored", key=key, at=f"{self.path}:{line}", reason=reason)
            return True
        _READERS[key](value)
        self._texts[key], self._lines[key] = value, line
        return True

    def backend(self) -> LdapBackend:
        """Return the configuration. Raises ConfigError for what is missing or does not fit."""
        where = url(self._needed("url", "url ldap://ldap.example.org"))
        base = self._needed("basedn", "basedn dc=example,dc=org")
        searches = self._searches()
        if not searches:
            remedy = "say what to look up, for example 'alias_filter (uid=%s)'"
            raise ConfigError("no filter", path=self.path, remedy=remedy)
        return LdapBackend(
            self.path, self.settings, where, base, searches, self._lines,
            starttls=self._starttls(where), ca_file=self._ca_file(),
            verify=self._yes("tls_verify", True), name=self._texts.get("username", ""),
            password=self._password(), password_file=self._texts.get("password_file", ""),
        )  # fmt: skip

    def _needed(self, key: str, example: str) -> str:
        if key not in self._texts:
            raise ConfigError(f"no {key}", path=self.path, remedy=f"add a line, as '{example}'")
        return self._texts[key]

    def _yes(self, key: str, default: bool) -> bool:
        return yes(self._texts[key]) if key in self._texts else default

    def _fault(self, key: str, message: str, remedy: str) -> ConfigError:
        return ConfigError(message, path=self.path, line=self._lines[key], remedy=remedy)

    def _searches(self) -> dict[Service, LdapSearch]:
        found = {}
        for service in Service:
            key = f"{service}_filter"
            if key in self._texts:
                query = SearchFilter(self._texts[key])
                found[service] = LdapSearch(query, self._attributes(service), self._lines[key])
        if Service.AUTH in found and not found[Service.AUTH].filter.keyed:
            remedy = "write %s where the user belongs"
            raise self._fault("auth_filter", "auth_filter would find the same for all", remedy)
        return found

    def _attributes(self, service: Service) -> list[str]:
        key, wanted = f"{service}_attributes", LOOKED_UP.get(service)
        names = _names(self._texts.get(key, ""))
        if wanted is not None and len(names) != wanted:
            what = "one attribute" if wanted == 1 else f"{wanted} attributes, with commas between"
            message = f"{key} takes {what}, and has {len(names) or 'none'}"
            raise self._fault(key if names else f"{service}_filter", message, "correct the line")
        return names

    def _starttls(self, where: LdapUrl) -> bool:
        wanted = self._yes("starttls", False)
        if wanted and where.scheme != "ldap":
            message = f"starttls is for ldap://, and not for {where.scheme}://"
            raise self._fault("starttls", message, "drop one of the two")
        return wanted

    def _ca_file(self) -> str:
        if "ca_file" in self._texts:
            path = self._texts["ca_file"]
            with reading(path):
                return path
        return next(filter(os.path.exists, AUTHORITIES), "")

    def _password(self) -> str:
        if "password" in self._texts:
            warn_if_readable(self.path)
        if "password_file" not in self._texts:
            return self._texts.get("password", "")
        if "password" in self._texts:
            message = "there is a password in this file, and a password_file"
            raise self._fault("password_file", message, "drop one of the two")
        return to_str(read_password(self._texts["password_file"]))


def _names(text: str) -> list[str]:
    """Return attributes; blanks around them are none of theirs."""
    return [name.strip() for name in text.split(",") if name.strip()]


def _utf8(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("it is no UTF-8") from None


_READERS: dict[str, Callable[[str], object]] = {
    "url": url,
    "username": _utf8,
    "password": str,
    "password_file": absolute,
    "basedn": _utf8,
    "starttls": yes,
    "ca_file": absolute,
    "tls_verify": yes,
    **{f"{service}_filter": SearchFilter for service in Service},
    **{f"{service}_attributes": _utf8 for service in PLAIN_SERVICES},
}
