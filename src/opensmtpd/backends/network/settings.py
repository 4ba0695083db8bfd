"""The keys that the configuration files of all network tables know, besides those of each."""

from collections.abc import Callable

from opensmtpd.backends.configuration import character, seconds, whole, yes
from opensmtpd.table import Service

MATCHED = frozenset([Service.DOMAIN, Service.MAILADDR, Service.NETADDR])
"""Services whose keys may match other rows than the literal one: networks, wildcards, @domain."""
TIMEOUT_MIN, TIMEOUT_MAX = 0.05, 2.0
"""Seconds: from 2.5 on, the engine may interrupt a table that does not answer."""
STALE_MAX = 604800


class Settings:
    """The values of these keys."""

    def __init__(self, matched: frozenset[Service] = MATCHED) -> None:
        """``matched`` are the services whose keys are matched where ``match`` does not say."""
        self.timeout = 1.0
        """Seconds until an answer is an error."""
        self.stale = 0.0
        """Seconds for which the last good answer is given again while the server is away."""
        self.stale_credentials = False
        """Do the same for hashes of passwords."""
        self.matched = matched
        self.expire = 60
        """Seconds until a list that smtpd takes in turn is read again."""
        self.refresh = 1000
        """Values until it is."""
        self.delimiter = "+"
        self.force_auth = False
        self.sandbox = True
        self.table = ""
        """The table's name in smtpd.conf, once smtpd has said it; no key of the file."""

    def set(self, key: str, value: str, line: int = 0) -> bool:
        """Take a line of the file, as a Setter of ``configuration.take``. Raises ValueError."""
        read = _READERS.get(key)
        if read is None:
            return False
        name, reader = read
        setattr(self, name, reader(value))
        return True


def _matched(text: str) -> frozenset[Service]:
    words = text.split()
    if words == ["none"]:
        return frozenset()
    known = {service.value: service for service in MATCHED}
    for word in words:
        if word not in known:
            raise ValueError(f"{word!r:.40} is none of {', '.join(sorted(known))}")
    return frozenset(known[word] for word in words)


_READERS: dict[str, tuple[str, Callable[[str], object]]] = {
    "timeout": ("timeout", seconds(TIMEOUT_MIN, TIMEOUT_MAX)),
    "stale": ("stale", seconds(0, STALE_MAX)),
    "stale_credentials": ("stale_credentials", yes),
    "match": ("matched", _matched),
    "fetch_source_expire": ("expire", whole),
    "fetch_source_refresh": ("refresh", whole),
    "sub_addr_delim": ("delimiter", character),
    "auth_before_7.9": ("force_auth", yes),
    "sandbox": ("sandbox", yes),
}

KEYS = tuple(_READERS)
"""Of all these tables."""
