"""The schemes in braces that Dovecot writes in front of hashes: ``{SHA512-CRYPT}$6$...``.

Source: ``password-scheme.c`` and ``password-scheme-crypt.c`` of Dovecot, which does not look at
capitals.
"""

import re

_PREFIX = re.compile(r"\{([A-Za-z0-9.-]{1,40})\}")

_STARTS: dict[str, tuple[str, ...]] = {
    "CRYPT": ("",),
    "MD5-CRYPT": ("$1$",),
    "BLF-CRYPT": ("$2a$", "$2b$", "$2x$", "$2y$"),
    "SHA256-CRYPT": ("$5$",),
    "SHA512-CRYPT": ("$6$",),
    "ARGON2I": ("$argon2i$",),
    "ARGON2ID": ("$argon2id$",),
}
"""For each scheme, the beginnings of the hashes that may follow it."""


def split(hash: str) -> tuple[str, str]:
    """Return the scheme in braces and the rest; "" where there is none that can be checked.

    The scheme is in capitals.
    """
    match = _PREFIX.match(hash)
    if match:
        scheme, rest = match[1].upper(), hash[match.end() :]
        if rest.startswith(_STARTS.get(scheme, ())):
            return scheme, rest
    return "", hash
