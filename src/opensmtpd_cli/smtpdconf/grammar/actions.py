"""The directive ``action``."""

from collections.abc import Callable

from opensmtpd_cli.smtpdconf.directives import ActionDefinition
from opensmtpd_cli.smtpdconf.grammar.words import Words


def action(words: Words) -> ActionDefinition | None:
    """Return the record of ``action``; None where it is of no kind that is known here."""
    found = ActionDefinition(words.place, words.word(), "relay")
    match words.keyword():
        case "relay":
            pass
        case "mbox" | "forward-only" | "expand-only" as kind:
            found = found._replace(kind=kind)
        case "mda":
            found = found._replace(kind="mda", path=words.word())
        case "lmtp":
            path, rcpt_to = words.word(), words.follows("rcpt-to")
            found = found._replace(kind="lmtp", path=path, rcpt_to=rcpt_to)
        case "maildir":
            path, junk = words.word_or_none(), words.follows("junk")
            found = found._replace(kind="maildir", path=path, junk=junk)
        case _:
            words.understood = False
            return None
    options = _RELAY if found.kind == "relay" else _LOCAL
    while words.more():
        if option := options.get(words.keyword()):
            found = option(found, words)
        else:
            words.understood = False
    return found


_Option = Callable[[ActionDefinition, Words], ActionDefinition]
_LOCAL: dict[str, _Option] = {
    "alias": lambda found, words: found._replace(alias=words.table()),
    "virtual": lambda found, words: found._replace(virtual=words.table()),
    "userbase": lambda found, words: found._replace(userbase=words.table()),
    "user": lambda found, words: found._replace(user=words.word()),
    "wrapper": lambda found, words: found._replace(wrapper=words.word()),
    "ttl": lambda found, words: found._replace(ttl=words.word()),
}
_RELAY: dict[str, _Option] = {
    "host": lambda found, words: found._replace(host=words.table()),
    "domain": lambda found, words: found._replace(domain=words.table()),
    "helo": lambda found, words: found._replace(helo=words.word()),
    "helo-src": lambda found, words: found._replace(helo_src=words.table()),
    "src": lambda found, words: found._replace(src=words.table()),
    "auth": lambda found, words: found._replace(auth=words.table()),
    "tls": lambda found, words: found._replace(
        tls="tls no-verify" if words.follows("no-verify") else "tls"
    ),
    "pki": lambda found, words: found._replace(pki=words.word()),
    "ca": lambda found, words: found._replace(ca=words.word()),
    "mail-from": lambda found, words: found._replace(mail_from=words.word()),
    "ciphers": lambda found, words: found._replace(ciphers=words.word()),
    "protocols": lambda found, words: found._replace(protocols=words.word()),
    "filter": lambda found, words: found._replace(filters=words.names()),
    "srs": lambda found, _: found._replace(srs=True),
    "backup": lambda found, words: found._replace(
        backup=True, backup_mx=words.word() if words.follows("mx") else ""
    ),
    "ttl": lambda found, words: found._replace(ttl=words.word()),
}
