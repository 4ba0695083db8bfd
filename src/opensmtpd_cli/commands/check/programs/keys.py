"""The keys that the configurations of our tables know, to find the one that was meant."""

from opensmtpd.backends.network.settings import KEYS as ON_SERVERS
from opensmtpd.backends.sql.config import COLUMNS, KEYED

_SQL = (*COLUMNS, *KEYED)
_SERVICES = tuple(key.removeprefix("query_") for key in COLUMNS if key.startswith("query_"))

KNOWN = {
    "table-sqlite": (*_SQL, "dbpath", "busy_timeout", "fetch_source_expire", "fetch_source_refresh",
                     "sub_addr_delim", "auth_before_7.9", "sandbox"),
    "table-postgres": (*_SQL, *ON_SERVERS, "conninfo", "prepare"),
    "table-mysql": (*_SQL, *ON_SERVERS, "host", "port", "socket", "username", "password",
                    "password_file", "defaults_file", "database", "charset", "ssl", "ssl_ca",
                    "ssl_cert", "ssl_key", "ssl_verify"),
    "table-redis": (*_SQL, *ON_SERVERS, "master", "master_port", "slave", "slave_port", "url",
                    "user", "password", "password_file", "database", "tls", "tls_ca", "tls_cert",
                    "tls_key"),
    "table-ldap": (*(f"{name}_filter" for name in _SERVICES),
                   *(f"{name}_attributes" for name in _SERVICES if name != "auth"), *ON_SERVERS,
                   "url", "basedn", "username", "password", "password_file", "starttls", "ca_file",
                   "tls_verify"),
}  # fmt: skip
"""Of programs that pass over a key that they do not know."""
