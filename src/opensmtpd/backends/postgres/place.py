"""The places where libpq would look for a server, with the addresses of their hosts."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opensmtpd.backends.network import names
from opensmtpd.backends.postgres import libpq
from opensmtpd.backends.postgres.conninfo import PostgresPlace

PLACE = ("host", "hostaddr", "port")


def with_defaults(given: Mapping[str, str]) -> dict[str, str]:
    """Return the options with those of the place that a service has, or the environment.

    A service that is in no file has none: libpq tells, when it is to connect.
    """
    with _service(given.get("service")):
        found = libpq.defaults()
    return {**{name: found[name] for name in PLACE if name in found}, **given}


@contextmanager
def _service(name: str | None) -> Iterator[None]:
    """Have libpq take the defaults of a service: it looks for the name in the environment."""
    old = os.environ.get("PGSERVICE")
    if name is not None:
        os.environ["PGSERVICE"] = name
    try:
        yield
    finally:
        if old is not None:
            os.environ["PGSERVICE"] = old
        elif name is not None:
            del os.environ["PGSERVICE"]


def addressed(target: PostgresPlace, until: float) -> list[PostgresPlace]:
    """Return the target with each address of its host. Raises ServerLost, ServerLate."""
    if target.local or target.hostaddr:
        return [target]
    port = int(target.port) if target.port.isdecimal() else 0
    found = [str(address[0]) for _, address in names.resolve(target.host, port, until)]
    return [target._replace(hostaddr=address) for address in dict.fromkeys(found)]
