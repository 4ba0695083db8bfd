"""The DNS for plugins: lookups are logic without I/O; one resolver in a process asks for them.

``make_resolver`` returns the resolver. ``opensmtpd.dns.names`` has the names of addresses,
``opensmtpd.dns.options`` the options of filters that ask.
"""

from collections.abc import Sequence
from importlib import import_module

from opensmtpd.dns.lookup import Lookup, gather, run_lookup
from opensmtpd.dns.question import Absent, Dns, Failed, Found, Question, RecordType, Reply
from opensmtpd.dns.servers import PATIENCE, ServerAddress, server
from opensmtpd.errors import ConfigError

__all__ = [
    "PATIENCE",
    "Absent",
    "Dns",
    "Failed",
    "Found",
    "Lookup",
    "Question",
    "RecordType",
    "Reply",
    "ServerAddress",
    "gather",
    "make_resolver",
    "run_lookup",
    "server",
]


def make_resolver(
    servers: Sequence[ServerAddress] = (),
    cache_path: str | None = None,
    patience: float = PATIENCE,
) -> Dns:
    """Return the resolver of this process, which asks name servers through aiodns.

    ``servers`` are those to ask, by default those of resolv.conf. Replies are kept in the file at
    ``cache_path`` across restarts. ``patience`` is the least number of seconds after which a
    timeout is the name server's failure. Raises ConfigError where aiodns, or msgpack for a cache,
    is missing.

    The imports take long. Done at the first question, they would keep all clients waiting.
    """
    for module in ("opensmtpd.dns.resolver.channel", *(["msgpack"] if cache_path else [])):
        try:
            import_module(module)
        except ImportError as error:
            remedy = "pip install 'opensmtpd-plugins[dns]'"
            raise ConfigError(f"asking the DNS needs {error.name}", remedy=remedy) from None
    from opensmtpd.dns.resolver.resolver import Resolver  # noqa: PLC0415  only for those who ask

    return Resolver(servers, cache_path, patience)
