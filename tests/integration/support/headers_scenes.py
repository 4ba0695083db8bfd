"""Sessions of clients with filter-headers, a listener for each file of rules."""

import re
import smtplib
from typing import NamedTuple

from lab.peers import mail
from lab.peers.clients import CONFIRMED_PTR
from lab.peers.maildir import Delivered
from lab.root.namespace import SERVER4
from lab.shows import moves
from lab.shows.demo import LOCAL, STRANGER
from lab.shows.guide import Guide
from lab.support import Lab

NAME = "filter-headers"
FOLDER = "/etc/mail/headers"
"""The files of rules."""
RULES = {
    "actions": r"""
# refused
reject   Subject      /^buy now$/                      # with what stands in the manual page
reject   X-Case       refused      "554 5.7.0 We want none of it"
reject   X-Case       words        "5.7.1 Not \"this\""
reject   X-Case       later        "451 4.7.1 Come again"
reject   X-Case       bare         450
reject   X-Case       bye          "421 4.3.2 Bye"

# marked
junk     From         *@spam.example*
junk     Subject      *günstig*
junk     Subject      *今すぐ購入*
junk     Subject      /^re: (your|my) account$/

# changed
remove   X-Internal-*
remove   X-Case       /^g[o0]ne$/
replace  Reply-To     *@old.example*   "Staff <staff@example.org>"
replace  X-Case       old              new
reject   X-Internal-Id *                               # none is left
reject   X-Case       old
junk     X-Case       new
add      X-Checked    "by the \"rules\""
add      X-Gone       1
remove   X-Gone
""",
    "nothing": r"""
reject   Subject      /~never~/
junk     *            "*~never~*"
remove   X-Never-*
replace  *            /^~never~$/      x
privacy
""",
    "privacy": "privacy\n",
    "marks": r"""
reject   X-Spam-Score /^(9|[1-9][0-9])[^0-9]/  "5.7.1 Far too much spam"
remove   X-Spam-Status
replace  Subject      *secret*             hidden
remove   X-Drop
add      X-Added      1
privacy
""",
    "reloaded": 'reject * /one/ "5.7.1 one"\n',
}
CHAINS = {
    "actions": ("actions",),
    "nothing": ("nothing",),
    "bare": (),
    "privacy": ("privacy",),
    "masked": (),
    "behind rspamd": ("rspamd", "marks"),
    "before dkimsign": ("marks", "dkimsign"),
    "reloaded": ("reloaded",),
}
"""The filters of each listener."""
PORTS = {title: 2601 + number for number, title in enumerate(CHAINS)}
CONF = """\
{pki}
table domains file:/etc/mail/domains
table aliases file:/etc/mail/aliases
{filters}
filter "rspamd" proc-exec "filter-rspamd"
filter "dkimsign" proc-exec "filter-dkimsign -d example.com -s mail \
-k /etc/mail/dkim/private.key" user _dkimsign group _dkimsign
listen on socket filter {{ "privacy", "dkimsign" }}
listen on lo0 filter {{ "privacy" }}
listen on {address} port 25 hostname example.com
{listeners}
action "maildir" maildir "%{{user.directory}}/Maildir" junk alias <aliases>
action "outbound" relay
match from any for domain <domains> action "maildir"
match from local for any action "outbound"
match auth from any for any action "outbound"
"""
PKI = """\
pki example.com cert "/etc/ssl/example.com.crt"
pki example.com key "/etc/ssl/private/example.com.key\""""
TLS = "tls pki example.com auth-optional"
MESSAGE = (
    b"From: bob@example.net\r\n"
    b"To: alice@example.com\r\n"
    b"Subject: hello\r\n"
    b"Date: Tue, 03 Mar 2026 10:00:00 +0000\r\n"
    b"Message-ID: <1@example.net>\r\n"
    b"\r\n"
    b"Subject: buy now\r\n"
    b".dot\r\n"
)
"""Its second subject stands in the body."""
RECEIVED = re.compile(rb"(?m)^Received: .*\n(?:\t.*\n)+")
CHANGING = re.compile(rb"(?<= id )[0-9a-f]{8}|(?<=;\n\t)\w{3}, .*(?=\n)")


def prepare(guide: Guide) -> None:
    """Have a listener for each chain, which ask for a password where TLS works."""
    _lay_out(guide, PKI, TLS)


def prepare_6_8(guide: Guide) -> None:
    """Have the same without TLS: in this root, the handshake of 6.8 fails with any certificate."""
    _lay_out(guide, "", "")


def _lay_out(guide: Guide, pki: str, tls: str) -> None:
    folder = guide.view / FOLDER[1:]
    folder.mkdir()
    for name, text in RULES.items():
        (folder / name).write_text(text)
    listen = f"listen on {SERVER4} port {{}} {tls} {{}}{{}} hostname example.com"
    listeners = [
        listen.format(
            PORTS[title],
            "filter {{ {} }}".format(" ".join(f'"{each}"' for each in chain)) if chain else "",
            " mask-src" if title == "masked" else "",
        )
        for title, chain in CHAINS.items()
    ]
    filters = [f'filter "{name}" proc-exec "{NAME} {FOLDER}/{name}"' for name in RULES]
    conf = CONF.format(
        pki=pki, filters="\n".join(filters), address=SERVER4, listeners="\n".join(listeners)
    )
    (guide.view / moves.CONF[1:]).write_text(conf)
    moves.check(guide)


def connect(title: str, source: str = CONFIRMED_PTR) -> smtplib.SMTP:
    """Connect to a listener and say EHLO."""
    return mail.connect(source, PORTS[title])


class Fate(NamedTuple):
    """What became of a message."""

    place: str
    """``inbox``, ``.Junk``, or the reply that refused it."""
    message: bytes = b""
    """As Alice got it, with CRLF line ends; smtpd's own Received is short."""


def written(*fields: bytes) -> bytes:
    """Return MESSAGE with other fields in front of its own; one of a name takes its place."""
    names = {field.partition(b":")[0].lower() for field in fields}
    header, _, body = MESSAGE.partition(b"\r\n\r\n")
    kept = [each for each in header.split(b"\r\n") if each.partition(b":")[0].lower() not in names]
    return b"\r\n".join([*fields, *kept]) + b"\r\n\r\n" + body


def visit(lab: Lab, title: str, message: bytes, sender: str = STRANGER) -> Fate:
    """Send Alice a message in a session of its own."""
    with connect(title) as client:
        try:
            code, text = mail.send(client, sender, LOCAL, message)
        finally:
            client.close()
    return fate(lab, code, text)


def fate(lab: Lab, code: int, text: bytes) -> Fate:
    """Return what became of a message with this reply."""
    if code != 250:
        return Fate(f"{code} {text.decode()}")
    delivered = lab.inbox.one()
    return Fate(delivered.folder, short(delivered))


def short(delivered: Delivered) -> bytes:
    """Return a message with CRLF line ends, and its first Received without its value."""
    text = RECEIVED.sub(b"Received:\n", delivered.message, count=1)
    return text.replace(b"\n", b"\r\n")


def own_received(message: bytes) -> bytes:
    """Return smtpd's own Received field, unfolded, without what no two of them share."""
    found = RECEIVED.search(message)
    assert found is not None
    return b" ".join(CHANGING.sub(b"", found[0]).split())
