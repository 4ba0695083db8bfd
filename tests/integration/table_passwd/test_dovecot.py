"""A users file of Dovecot's, served to smtpd by table-passwd."""

import pytest

from lab.peers import mail
from lab.shows import moves
from lab.shows.guide import PASSWORD, Guide
from lab.support import Lab, setups


def prepare(guide: Guide) -> None:
    etc = guide.view / "etc/mail"
    shadow = (guide.view / "etc/shadow").read_text().splitlines()
    (hash,) = [line.split(":")[1] for line in shadow if line.startswith("alice:")]
    hashes = {
        "bare": hash,
        "crypt": f"{{CRYPT}}{hash}",
        "sha": f"{{SHA512-CRYPT}}{hash}",
        "plain": f"{{PLAIN}}{PASSWORD}",
        "wrong": f"{{MD5-CRYPT}}{hash}",
    }
    rows = [f"{user}:{value}:1000:1000::/home/alice::" for user, value in hashes.items()]
    (etc / "passwd").write_text("\n".join(rows) + "\n")
    moves.readable(guide, "/etc/mail/passwd")
    text = (etc / "smtpd.conf").read_text()
    text = text.replace("# Blocks junk mail", "table logins passwd:/etc/mail/passwd\n")
    text = text.replace(
        "587 tls-require $required", "587 tls-require pki example.com auth <logins>"
    )
    (etc / "smtpd.conf").write_text(text)
    moves.check(guide)


pytestmark = pytest.mark.parametrize("running", setups("dovecot", prepare), indirect=True, ids=str)


@pytest.mark.parametrize(
    ("user", "code"), [("bare", 235), ("crypt", 235), ("sha", 235), ("plain", 535), ("wrong", 535)]
)
def test_logins(lab: Lab, user: str, code: int) -> None:
    client = mail.connect(port=587)
    client.starttls(context=mail.trusting(lab.guide))
    client.ehlo()
    try:
        assert client.docmd("AUTH PLAIN", mail.plain(user, PASSWORD))[0] == code
    finally:
        client.close()
