"""The part of a ``my.cnf`` that says how to log in: its group ``[client]``.

Source: https://mariadb.com/kb/en/configuring-mariadb-with-option-files/. Other files are not
included: the directives for that are passed over.
"""

import re

from opensmtpd.errors import ConfigError
from opensmtpd.files import reading
from opensmtpd.table import to_str

FILE_MAX = 1 << 20
NAMES = {
    "user": "username",
    "password": "password",
    "host": "host",
    "port": "port",
    "socket": "socket",
    "database": "database",
    "ssl_ca": "ssl_ca",
    "ssl_cert": "ssl_cert",
    "ssl_key": "ssl_key",
    "default_character_set": "charset",
}
"""Options that are taken, and the keys of table-mysql that say the same."""
_GROUPS = ("client", "client-server", "client-mariadb")
_LINE = re.compile(r"([A-Za-z_-]+)\s*=\s*(.*)", re.DOTALL)
_QUOTES = ("'", '"')
_ESCAPES = {"b": "\b", "t": "\t", "n": "\n", "r": "\r", "s": " ", "\\": "\\", '"': '"', "'": "'"}


def read(path: str) -> list[tuple[str, str, int]]:
    """Return keys of table-mysql, their values and their lines. Raises ConfigError.

    Of two options of the same name the last one counts.
    """
    with reading(path) as file:
        text = to_str(file.read(FILE_MAX + 1))
    if len(text) > FILE_MAX:
        raise ConfigError(f"more than {FILE_MAX} bytes", path=path, remedy="name a my.cnf")
    group = ""
    found: dict[str, tuple[str, str, int]] = {}
    for line, raw in enumerate(text.split("\n"), 1):
        stripped = raw.strip()
        if stripped.startswith("["):
            group = stripped[1:].partition("]")[0].strip()
        elif group in _GROUPS and (match := _LINE.fullmatch(stripped)):
            key = NAMES.get(match[1].lower().replace("-", "_"))
            if key is not None:
                found[key] = key, value(match[2]), line
    return list(found.values())


def value(text: str) -> str:
    """Return the text that is meant: without quotes or a comment behind, escapes resolved."""
    text = text[: _comment(text)].strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in _QUOTES:
        text = text[1:-1]
    return _resolved(text)


def _comment(text: str) -> int:
    """Return where a comment begins: at a ``#`` outside of quotes, a blank before it or not.

    Source: ``remove_end_comment`` in ``mysys/my_default.c`` of MariaDB.
    """
    quote, escaped = "", False
    for at, character in enumerate(text):
        if character in _QUOTES and not escaped:
            quote = {"": character, character: ""}.get(quote, quote)
        if not quote and character == "#":
            return at
        escaped = bool(quote) and character == "\\" and not escaped
    return len(text)


def _resolved(text: str) -> str:
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[0]), text, flags=re.DOTALL)
