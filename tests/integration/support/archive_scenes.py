"""One smtpd with filter-archive in all its ways, and mail to its listeners."""

import smtplib
import subprocess
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from integration.support.dns_scenes import Chains, listen, ours, port
from lab.peers import mail
from lab.peers.clients import CONFIRMED_PTR
from lab.peers.copies import Copies, Copy
from lab.peers.numbered import numbers
from lab.root import inside
from lab.root.plugin import LIBEXEC
from lab.root.root import VENV
from lab.shows.demo import LOCAL, STRANGER
from lab.shows.guide import Guide
from lab.support import Lab

NAME = "filter-archive"
COPIES, LMTP = f"{NAME}: copies", f"{NAME}: lmtp"
"""The processes that write copies, and those that hand them on."""
USER = "_archive"
PLACE = "/var/lib/opensmtpd-plugins/archive"
RECIPIENT, DOVECOT_USER = "archive@example.com", "username"
SERVER = 9024
"""The port of a scripted LMTP server, on this machine."""
RULES = "/etc/mail/header-rules"
HASTY = f"""\
#!{VENV}/bin/python3
from opensmtpd_filters import archive

archive.WRITE_WITHIN = 1.0
archive.main()
"""
"""A filter that waits for a disk for as long as a test likes to."""


def archive(folder: str, options: str = "", program: str = NAME) -> str:
    """Return a filter that keeps copies in a folder of PLACE."""
    words = " ".join(filter(None, (program, options, f"{PLACE}/{folder}")))
    return f'proc-exec "{words}" user {USER} group {USER}'


KEPT: Chains = {"kept": (archive("kept"),)}
CHAINS: Chains = {
    **KEPT,
    "refused behind": (archive("kept"), ours("filter-headers", RULES)),
    "small": (archive("small"),),
    "small, open": (archive("small", "--fail open"),),
    "hasty": (archive("hasty", program="filter-hasty-archive"),),
    "twice": (archive("twice"), archive("twice", "--deadline 59")),
    "lmtp": (archive("lmtp", f"--lmtp inet:{SERVER}@localhost --lmtp-recipient {RECIPIENT}"),),
    "dovecot": (
        archive(
            "dovecot",
            f"--lmtp unix:/run/dovecot/lmtp --lmtp-recipient {DOVECOT_USER}@example.com",
        ),
    ),
}


def prepare_user(guide: Guide) -> None:
    """Have the user of the filters, with a folder."""
    inside.done(guide.view, "useradd", "--system", "--no-create-home", "--user-group", USER)
    inside.done(guide.view, "install", "-d", Path(PLACE).parent.as_posix())
    inside.done(guide.view, "install", "-d", "-o", USER, "-g", USER, "-m", "0700", PLACE)


def lay_out(guide: Guide, chains: Chains) -> None:
    """Have a listener for each chain; local mail goes by way of the first."""
    prepare_user(guide)
    listen(guide, chains, local="kept")


def prepare(guide: Guide) -> None:
    """Have all chains; the folder of one of them is a small file system."""
    (guide.view / RULES[1:]).write_text('reject Subject "refused behind" "5.7.1 not this one"\n')
    hasty = guide.view / LIBEXEC / "filter-hasty-archive"
    hasty.write_text(HASTY)
    hasty.chmod(0o755)
    lay_out(guide, CHAINS)
    small = guide.view / PLACE[1:] / "small"
    user = small.parent.stat()
    small.mkdir()
    options = f"size=1m,mode=700,uid={user.st_uid},gid={user.st_gid}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", small], check=True)


def prepare_kept(guide: Guide) -> None:
    """Have a listener with the filter as it is by default, and no other."""
    lay_out(guide, KEPT)


def copies(lab: Lab, title: str = "kept") -> Copies:
    """Return the folder of a chain's copies."""
    return Copies(lab.guide.view / PLACE[1:] / title.partition(",")[0])


def session(title: str = "kept") -> smtplib.SMTP:
    """Connect to a chain, and say EHLO."""
    return mail.connect(CONFIRMED_PTR, port(CHAINS, title))


def transaction(
    client: smtplib.SMTP,
    message: bytes,
    recipients: Sequence[str] = (LOCAL,),
    sender: str = STRANGER,
) -> int:
    """Send a message whole, whichever recipients are refused; return the code of its end."""
    client.mail(sender)
    for each in recipients:
        client.rcpt(each)
    try:
        return client.data(message)[0]
    except smtplib.SMTPDataError as error:
        return error.smtp_code


def hello(subject: str) -> bytes:
    """Return a small message."""
    return mail.compose(STRANGER, LOCAL, subject)


def send(title: str = "kept", subject: str = "hello") -> int:
    """Send Alice a small message by way of a chain; return the code of its end."""
    with session(title) as client:
        return transaction(client, hello(subject))


def times(found: Iterable[Copy]) -> Counter[int]:
    """Return how often each numbered mail is there."""
    return Counter(numbers(each.message for each in found))
