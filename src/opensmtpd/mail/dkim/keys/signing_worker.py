"""The worker process that holds private keys and signs: filter-dkimsign itself never sees one.

Digests come, signatures go. The process is forked from one that has read the keys, so that a worker
that died is replaced without reading them.
"""

from typing import Any

from opensmtpd import worker
from opensmtpd.errors import ConfigError
from opensmtpd.mail.dkim.keys import load, named_keys
from opensmtpd.mail.dkim.keys.key import RSA, Key
from opensmtpd.mail.dkim.keys.named_keys import NamedKey
from opensmtpd.needs import Needs


class SigningWorker(worker.Worker):
    """Signs SHA-256 digests.

    A request is a list of ``[id of the key, digest]``, one for each signature of a message; the
    reply is the list of signatures.
    """

    title = "keys"
    memory = 1 << 30
    imports = ("opensmtpd.mail.dkim.keys.pem",)
    needs = Needs()

    def __init__(self) -> None:
        self._keys: dict[bytes, Key] = {}
        self._gone: dict[bytes, Key] = {}
        """The keys that the last reload took away: messages that began before it want them."""

    def load(self, setup: dict[str, Any]) -> list[Any]:
        """Read the keys that ``setup``, the keyword arguments of ``read_keys``, names.

        Returns the identities as lists of the fields of ``Identity``, and the warnings. Raises
        ConfigError.
        """
        found = read_keys(**setup)
        files = (setup["key"], setup["key_table"], *setup["domain_files"])
        self.load_needs = Needs(reads=(*filter(None, files), *named_keys.files(setup["key_table"])))
        keys = {each.key.id: each.key for each in found}
        self._gone = {id: key for id, key in self._keys.items() if id not in keys}
        self._keys = keys
        identities = [(domain, selector, key.algorithm, key.id) for domain, selector, key in found]
        return [identities, named_keys.warnings(found)]

    def handle(self, request: list[tuple[bytes, bytes]]) -> list[bytes]:
        """Return the signatures. Raises KeyError for an unknown key, ValueError for no digest."""
        return [self._key(id).sign(digest) for id, digest in request]

    def _key(self, id: bytes) -> Key:
        return self._keys.get(id) or self._gone[id]


def read_keys(
    domains: list[str],
    domain_files: list[str],
    selector: str | None,
    key: str | None,
    algorithm: str | None,
    key_table: str | None,
) -> list[NamedKey]:
    """Return the keys that the flags of filter-dkimsign name, at least one. Raises ConfigError."""
    if key_table:
        return named_keys.key_table(key_table)
    domains = list(domains)
    for path in domain_files:
        domains += named_keys.domain_file(path)
    if not (domains and selector and key):
        remedy = "give a domain (-d), a selector (-s) and a key (-k), or a key table (-f)"
        raise ConfigError("nothing to sign with", remedy=remedy)
    return named_keys.one_key(domains, selector, load.load(key, algorithm or RSA))
