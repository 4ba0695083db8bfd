"""Servers of other people: their directives, and surroundings in which these are good.

Names and addresses are changed to those of examples. Where a server ran on OpenBSD, its ``all`` and
``egress`` are the wildcard addresses here: Linux has no such groups of interfaces.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from integration.check.certificates import certificate
from integration.check.ground import DMARC, Ground
from integration.support.rspamd_stand_in import RspamdStandIn
from lab.peers.clients import reverse
from lab.root import inside

HERE = Path(__file__).with_name("sites")
ADDRESS = "203.0.113.99"
ANSWERS = """#!/bin/sh
while read -r line; do
    case "$line" in "config|ready")
        echo "register|report|smtp-in|link-connect"
        echo "register|ready";;
    esac
done
"""
"""A filter in the place of one that Debian does not have."""
OPENBSD_ALIASES = """MAILER-DAEMON: postmaster
postmaster: root
bin: root
daemon: root
games: root
nobody: /dev/null
_tftpd: /dev/null
uucp: root
# Well-known aliases
# manager: root
# dumper: root
abuse: root
noc: abuse
security: root
hostmaster: root
"""


class Site(NamedTuple):
    """Somebody's server."""

    title: str
    lay_out: Callable[[Ground], None]
    """Puts everything but the configuration there; its name is that of the file in ``sites/``."""
    path: str = "/etc/mail/smtpd.conf"
    options: tuple[str, ...] = ("--address", ADDRESS)
    written: bool = True
    """Is the configuration in ``sites/``? Else the system has brought it."""

    @property
    def conf(self) -> str:
        """The configuration; where it is from stands in its first line."""
        return (HERE / f"{self.lay_out.__name__}.conf").read_text()


def domain(
    ground: Ground, name: str, host: str = "", *, address: str = ADDRESS, named: bool = True
) -> None:
    """Have the DNS say all that it should of a domain, and of its one host."""
    host = host or name
    kind = "AAAA" if ":" in address else "A"
    ground.zone |= {
        (host, kind): [address],
        (name, "MX"): [f"10 {host}."],
        (name, "TXT"): ['"v=spf1 mx -all"'],
        (f"_dmarc.{name}", "TXT"): [DMARC],
        (reverse(address), "PTR"): [f"{host}."],
    }
    if named:
        ground.put("/etc/mailname", f"{host}\n")


def tls(ground: Ground, path: str, key_path: str, *names: str) -> None:
    """Give the server a certificate."""
    made = certificate(*names)
    ground.put(path, made.certificate)
    ground.put(key_path, made.key, "0600")


def openbsd(ground: Ground) -> None:
    ground.put("/etc/mail/aliases", OPENBSD_ALIASES)
    domain(ground, "openbsd.example.net")


def debian(ground: Ground) -> None:
    ground.add("/etc/aliases", "root: admin\n")  # smtpd runs no maildir as root
    ground.sh("useradd --create-home admin")
    domain(ground, "debian.example.net")


def hypno(ground: Ground) -> None:
    name = "mail.hypno.example"
    domain(ground, "hypno.example", name)
    tls(ground, f"/etc/ssl/{name}.fullchain.pem", f"/etc/ssl/private/{name}.key", name)
    ground.put("/etc/mail/aliases", OPENBSD_ALIASES + "root: gilles\nvincent: gilles\n")
    ground.after.enter_context(RspamdStandIn())
    ground.sh("useradd --create-home gilles")


def zacoons(ground: Ground) -> None:
    domain(ground, "example.org")
    tls(ground, "/etc/ssl/example.org.fullchain.pem", "/etc/ssl/private/example.org.key",
        "example.org", "www.example.org")  # fmt: skip
    ground.put("/etc/mail/aliases", "root: billy\n")
    hashed = inside.done(ground.view, "smtpctl", "encrypt", "password").strip()
    ground.put("/etc/mail/passwd", f"billy@example.org:{hashed}\n", "0440", "opensmtpd:dovecot")
    ground.sh("useradd billy; install -d -o _dkimsign -g _dkimsign -m 0770 /etc/mail/dkim;"
              " openssl genpkey -algorithm ed25519 -out /etc/mail/dkim/private.ed25519.key;"
              " chown _dkimsign:_dkimsign /etc/mail/dkim/private.ed25519.key;"
              " chmod 0400 /etc/mail/dkim/private.ed25519.key")  # fmt: skip
    public = inside.done(
        ground.view, "openssl", "pkey", "-in", "/etc/mail/dkim/private.ed25519.key", "-pubout"
    )
    raw = inside.done(
        ground.view, "sh", "-c", "openssl pkey -pubin -outform DER | tail -c 32 | base64",
        given=public,
    )  # fmt: skip
    name = ("default._domainkey.example.org", "TXT")
    ground.zone[name] = [f'"v=DKIM1; k=ed25519; p={raw.strip()}"']


def poolp(ground: Ground) -> None:
    domain(ground, "poolp.example", "mx1.poolp.example")
    domain(ground, "opensmtpd.example", "mx1.poolp.example")
    for name in ("virtual.example", "backed.example"):
        domain(ground, name, "mx1.poolp.example")
    ground.zone["backed.example", "MX"] = ["10 mx.backed.example.", "20 mx1.poolp.example."]
    ground.zone["backed.example", "TXT"] = ['"v=spf1 ip4:198.51.100.9 -all"']
    ground.zone["mx.backed.example", "A"] = ["198.51.100.9"]
    ground.zone["mail.poolp.example", "A"] = [ADDRESS]
    tls(ground, "/etc/ssl/poolp.example.fullchain.pem", "/etc/ssl/private/poolp.example.key",
        "poolp.example", "mx1.poolp.example", "mail.poolp.example")  # fmt: skip
    for path, text in {
        "aliases": OPENBSD_ALIASES + "root: gilles\n",
        "aliases-opensmtpd.org": "postmaster: gilles\nmisc: gilles, eric@poolp.example\n",
        "primary-domains": "poolp.example\n",
        "virtual-domains": "virtual.example\n",
        "virtual-users": "hostmaster@virtual.example: gilles\n"
        "@virtual.example: eric@elsewhere.example\n",
        "backup-domains": "backed.example\n",
    }.items():
        ground.put(f"/etc/mail/{path}", text)
    ground.sh("useradd --create-home gilles")


def mailgun(ground: Ground) -> None:
    """Mail leaves by the smarthost: no name of this machine matters, and none has a record."""
    ground.put("/etc/aliases", "root: billy@example.com\n")
    secrets = "myrelay webmaster@example.com:xxx-password-xxx\n"
    ground.put("/etc/secrets", secrets, "0640", "root:opensmtpd")
    ground.put("/etc/mailname", "laptop.lan\n")
    ground.zone["smtp.mailgun.example", "A"] = ["198.51.100.25"]


def jao(ground: Ground) -> None:
    mailgun(ground)
    ground.put("/etc/mail/secrets", "gnu jao:my password\njao mail@jao.example:xxxxx\n", "0600")
    ground.sh("makemap -o /etc/mail/secrets.db /etc/mail/secrets; rm /etc/mail/secrets")
    ground.sh("chown root:opensmtpd /etc/mail/secrets.db; chmod 640 /etc/mail/secrets.db")
    for host in ("fencepost.gnu.example", "smtp.jao.example"):
        ground.zone[host, "A"] = ["198.51.100.26"]


def snonux(ground: Ground) -> None:
    domain(ground, "buetow.example", "fishfinger.buetow.example")
    domain(ground, "dtail.example", "fishfinger.buetow.example")
    tls(ground, "/etc/ssl/buetow.example.fullchain.pem", "/etc/ssl/private/buetow.example.key",
        "buetow.example", "fishfinger.buetow.example")  # fmt: skip
    ground.put("/etc/mail/aliases", OPENBSD_ALIASES + "root: paul@buetow.example\n")
    ground.put("/etc/mail/virtualdomains", "buetow.example\ndtail.example\n")
    ground.put("/etc/mail/virtualusers", "paul@buetow.example paul.elsewhere@provider.example\n"
               "@dtail.example paul.elsewhere@provider.example\n")  # fmt: skip


def vmail(ground: Ground) -> None:
    name = "mail.example.net"
    domain(ground, "example.net", name)
    live = f"/etc/letsencrypt/live/{name}"
    tls(ground, f"{live}/fullchain.pem", f"{live}/privkey.pem", name)
    ground.sh("useradd --system --home-dir /var/vmail --create-home vmail")
    ground.put("/etc/mail/domains", "example.net\n")
    ground.put(
        "/etc/mail/virtuals", "bob@example.net vmail\npostmaster@example.net bob@example.net\n"
    )
    hashed = inside.done(ground.view, "smtpctl", "encrypt", "password").strip()
    ground.put(
        "/etc/mail/credentials", f"bob@example.net:{hashed}::::::\n", "0640", "root:opensmtpd"
    )
    ground.after.enter_context(RspamdStandIn())


def manual(ground: Ground) -> None:
    domain(ground, "example.com")
    ground.put("/etc/mail/aliases", OPENBSD_ALIASES)
    ground.put("/etc/mail/other-relays", "198.51.100.30\n198.51.100.31\n")


SITES = (
    Site("OpenBSD's own", openbsd),
    Site("Debian's own", debian, written=False, path="/etc/smtpd.conf"),
    Site("rspamd, senderscore and Dovecot", hypno),
    Site("Dovecot over LMTP, and signatures", zacoons),
    Site("primary, virtual and backed-up domains", poolp, options=()),
    Site("a satellite with a smarthost", mailgun, path="/etc/smtpd.conf", options=()),
    Site("a laptop with two smarthosts", jao, path="/etc/smtpd.conf", options=()),
    Site("virtual domains forwarded", snonux),
    Site("virtual users of one system user", vmail),
    Site("no forged senders", manual),
)
