"""The directive ``listen``."""

import socket
from collections.abc import Callable

from opensmtpd_cli.smtpdconf.directives import Listener
from opensmtpd_cli.smtpdconf.grammar.words import Words

_PORTS = {"smtp": 25, "smtps": 465, "submission": 587, "submissions": 465}
"""smtpd asks services(5), which not each system has; these do not differ."""


def listener(words: Words) -> Listener | None:
    """Return the record of ``listen on``; None where it does not say on what."""
    where = words.follows("on") and (words.taken("socket") or words.word())
    if not where:
        words.understood = False
        return None
    found, port = Listener(words.place, where, 0), None
    while words.more():
        if words.follows("port"):
            port = _port(words)
        elif option := _OPTIONS.get(words.keyword()):
            found = option(found, words)
        else:
            words.understood = False
    if port is None and where != "socket":
        port = 465 if found.tls.startswith("smtps") else 25
    return found._replace(port=port or 0)


def _port(words: Words) -> int:
    """Take a number, or the name of a service. Return 0 for one that is not known."""
    text = words.taken("smtp", "smtps") or words.number()
    if text.isascii() and text.isdigit():
        return int(text) if len(text) <= 5 else 0
    if text in _PORTS:
        return _PORTS[text]
    try:
        return socket.getservbyname(text, "tcp")
    except (OSError, UnicodeError, ValueError):
        return 0


_Option = Callable[[Listener, Words], Listener]
_OPTIONS: dict[str, _Option] = {
    "inet4": lambda found, _: found._replace(family="inet4"),
    "inet6": lambda found, _: found._replace(family="inet6"),
    "filter": lambda found, words: found._replace(filters=words.names()),
    "tls": lambda found, _: found._replace(tls="tls"),
    "tls-require": lambda found, words: found._replace(
        tls="tls-require verify" if words.follows("verify") else "tls-require"
    ),
    "smtps": lambda found, words: found._replace(
        tls="smtps verify" if words.follows("verify") else "smtps"
    ),
    "pki": lambda found, words: found._replace(pki=(*found.pki, words.word())),
    "ca": lambda found, words: found._replace(ca=words.word()),
    "auth": lambda found, words: found._replace(auth="auth", auth_table=words.table_or_none()),
    "auth-optional": lambda found, words: found._replace(
        auth="auth-optional", auth_table=words.table_or_none()
    ),
    "hostname": lambda found, words: found._replace(hostname=words.word()),
    "hostnames": lambda found, words: found._replace(hostnames=words.table()),
    "senders": lambda found, words: found._replace(
        senders=words.table(), masquerade=words.follows("masquerade")
    ),
    "tag": lambda found, words: found._replace(tag=words.word()),
    "mask-src": lambda found, _: found._replace(mask_src=True),
    "no-dsn": lambda found, _: found._replace(no_dsn=True),
    "proxy-v2": lambda found, _: found._replace(proxy_v2=True),
    "received-auth": lambda found, _: found._replace(received_auth=True),
    "ciphers": lambda found, words: found._replace(ciphers=words.word()),
    "protocols": lambda found, words: found._replace(protocols=words.word()),
}
