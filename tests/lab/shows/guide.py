"""The guide's mail server: its configuration character for character, and the files it names."""

import os
from dataclasses import dataclass
from pathlib import Path

from lab.peers.nameserver import Records
from lab.peers.zones import CLIENT_ZONE, OUTSIDE_ZONE, SERVER_ZONE
from lab.root import inside
from lab.root.namespace import SERVER4, SERVER6, SOURCE4

CONF = Path(__file__).with_name("guide.conf")
PASSWORD = "correcthorse"
USERS = ("username", "alice")

FILES = {
    "etc/mail/aliases": "username:\tusername\nalice:\talice\nroot:\tusername\n",
    "etc/mail/users": "username:\tusername@example.com\nalice:\talice@example.com\n",
    "etc/mail/hosts": f"{SOURCE4}\n{SERVER6}\n",
    "etc/mail/relayaddr": "192.168.0.2\n",
    "etc/mail/mailname": "example.com\n",
    "etc/mailname": "example.com\n",  # where Debian's smtpd looks for it
    "etc/mail/domains": "example.com\nmail.example.com\n",
    "etc/resolv.conf": "nameserver 127.0.0.1\n",
    "etc/hosts": "127.0.0.1 localhost\n",
}


@dataclass(frozen=True)
class Guide:
    """A view of a root that is ready for smtpd."""

    view: Path
    dkim_record: str
    """The TXT record of the key, in zone file form."""
    certificate: str
    """The server's certificate, PEM."""

    def home(self, user: str) -> Path:
        """Return the home folder of ``user``, seen from outside the view."""
        return self.view / "home" / user


def records(guide: Guide) -> Records:
    """Return what the test name server has to answer while ``guide`` runs."""
    key = {("mail._domainkey.example.com", "TXT"): [guide.dkim_record]}
    return {**SERVER_ZONE, **CLIENT_ZONE, **OUTSIDE_ZONE, **key}


def lay_out(view: Path) -> Guide:
    """Put the guide's files, users and keys into ``view``. Raises CommandError."""
    (view / "etc/mail/dkim").mkdir(parents=True)
    for name, text in FILES.items():
        (view / name).write_text(text)
    (view / "etc/mail/smtpd.conf").write_bytes(CONF.read_bytes())
    _users(view)
    certificate = _certificate(view)
    record = new_dkim_key(view)
    # The guide's own permissions, but for /etc/mail/passwd, which only its dovecot part has.
    inside.done(view, "chown", "-R", "_dkimsign:_dkimsign", "/etc/mail/dkim")
    inside.done(view, "chmod", "770", "/etc/mail/dkim")
    others = ("-exec", "chmod", "o-rwx", "{}", "+")
    inside.done(view, "find", "/etc/mail", "!", "-path", "/etc/mail", *others)
    return Guide(view, record, certificate)


def _users(view: Path) -> None:
    hashed = inside.done(view, "openssl", "passwd", "-6", PASSWORD).strip()
    for user in USERS:
        inside.done(view, "useradd", "--create-home", "--password", hashed, user)


def _certificate(view: Path) -> str:
    names = f"subjectAltName=DNS:example.com,IP:{SERVER4}"
    key, certificate = "/etc/ssl/private/example.com.key", "/etc/ssl/example.com.crt"
    inside.done(
        view, "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
        "-subj", "/CN=example.com", "-addext", names, "-keyout", key, "-out", certificate,
    )  # fmt: skip
    os.chmod(view / key[1:], 0o600)
    return (view / certificate[1:]).read_text()


def new_dkim_key(view: Path) -> str:
    """Write a new DKIM key over the old one; returns its TXT record. Raises CommandError."""
    path = "/etc/mail/dkim/private.key"
    inside.done(view, "openssl", "genrsa", "-out", path, "2048")
    public = inside.done(view, "openssl", "rsa", "-in", path, "-pubout").splitlines()
    text = "v=DKIM1; k=rsa; p=" + "".join(public[1:-1])
    return " ".join(f'"{text[start : start + 250]}"' for start in range(0, len(text), 250))
