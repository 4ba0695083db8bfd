"""The directives ``pki`` and ``ca``, and those that set one thing, as ``smtp`` and ``queue``."""

from opensmtpd.table import text
from opensmtpd_cli.smtpdconf.directives import Ca, Pki
from opensmtpd_cli.smtpdconf.grammar.words import Words

DELIMITER = "sub-addr-delim"
SETTINGS = ("admd", "bounce", "mda", "mta", "queue", "scheduler", "smtp", "srs")
"""The directives that ``settings`` reads."""

_LIMITS = ("mda limit", "mta limit", "scheduler limit", "smtp limit")
_NAMES = frozenset(
    [
        *("admd", "bounce warn-interval", "mda wrapper", "mta limit for domain"),
        *("mta max-deferred", "queue compression", "queue encryption", "queue ttl"),
        *("smtp ciphers", "smtp max-message-size", f"smtp {DELIMITER}"),
        *("srs key", "srs key backup", "srs ttl", *_LIMITS),
    ]
)
_INSIDE = frozenset(word for name in _NAMES for word in name.split()[1:])


def pki(words: Words) -> Pki:
    """Return the record of one ``pki`` directive: there may be others for the same name."""
    found = Pki(words.place, text.lower(words.word()))
    while words.more():
        match words.keyword():
            case "cert":
                found = found._replace(cert=words.word(), cert_place=words.place)
            case "key":
                found = found._replace(key=words.word(), key_place=words.place)
            case "dhe":
                found = found._replace(dhe=words.word())
            case _:
                words.understood = False
    return found


def joined(first: Pki, second: Pki) -> Pki:
    """Return the record of two directives for one name: of each word, the last one counts."""
    if second.cert:
        first = first._replace(cert=second.cert, cert_place=second.cert_place)
    if second.key:
        first = first._replace(key=second.key, key_place=second.key_place)
    return first._replace(dhe=second.dhe or first.dhe)


def ca(words: Words) -> Ca:
    """Return the record of ``ca``."""
    name = text.lower(words.word())
    if not words.follows("cert"):
        words.understood = False
    return Ca(words.place, name, words.word())


def settings(name: str, words: Words) -> dict[str, str]:
    """Return what a directive sets, by its name and the words before each value."""
    while keyword := words.taken(*_INSIDE):
        name += f" {keyword}"
    if name not in _NAMES:
        words.understood = False
        return {}
    if name in ("mda wrapper", "mta limit for domain"):
        name += f" {words.word()}"
    if name.startswith(_LIMITS):
        return _limits(name, words)
    return {DELIMITER if name == f"smtp {DELIMITER}" else name: words.joined()}


def _limits(name: str, words: Words) -> dict[str, str]:
    found: dict[str, str] = {}
    while words.more():
        if family := words.taken("inet4", "inet6"):
            found[f"{name} {family}"] = ""
        elif limit := words.word():
            found[f"{name} {limit}"] = words.number()
        else:
            words.pass_over()
    return found
