"""smtpd whose users are Dovecot's: their passwords, and where their mail goes."""

import smtplib
from collections.abc import Iterator

import pytest

from integration.support.network_scenes import (
    nothing_is_lost,
    outages,
    said,
    starts_without,
    use_tables,
    well,
)
from lab.peers import mail
from lab.peers.databases.dovecot_auth import DovecotAuth
from lab.peers.maildir import Maildir
from lab.root import inside
from lab.shows import moves
from lab.shows.demo import STRANGER
from lab.shows.guide import Guide
from lab.support import Lab, on_both

TABLE = """\
auth /run/dovecot/auth-client
userdb /run/dovecot/auth-userdb
"""
PASSWORD = "Mixed Case: 'it' | ü €"
LOWER = "all small"
SCHEMES = {"carol": "SSHA512", "dora": "BLF-CRYPT", "alice": "SHA512-CRYPT"}
"""The first is none of crypt(3)'s, and the second begins with $2y$."""


def prepare(guide: Guide) -> None:
    """Change nothing before Dovecot is there."""


both, once = on_both("dovecot-auth", prepare)


def rows(guide: Guide, server: DovecotAuth) -> str:
    """Return lines of users who have Alice's rights, and homes of their own."""
    ids = inside.done(guide.view, "sh", "-c", "echo $(id -u alice):$(id -g alice)").strip()
    lines = []
    for user, scheme in (*SCHEMES.items(), ("small", "SSHA512")):
        password = LOWER if user == "small" else PASSWORD
        hashed = server.run("doveadm", "pw", "-s", scheme, "-p", password).strip()
        lines.append(f"{user}:{hashed}:{ids}::/home/{user}::\n")
        inside.done(guide.view, "mkdir", "-p", f"/home/{user}")
        inside.done(guide.view, "chown", ids, f"/home/{user}")
    return "".join(lines)


@pytest.fixture
def site(running: Lab, dovecot_auth: DovecotAuth) -> Iterator[Lab]:
    """smtpd with Dovecot beside it, in whatever root that is."""
    guide = running.guide
    conf = guide.view / moves.CONF[1:]
    dovecot_auth.configure()
    if "dovecot:" not in conf.read_text():
        (dovecot_auth.view / "etc/dovecot/users").write_text(rows(guide, dovecot_auth))
        dovecot_auth.restart()
        dovecot_auth.share(guide.view)
        text = conf.read_text().replace("alias <aliases>", "userbase <logins>")
        text = text.replace("auth mask-src senders <users>", "auth <logins>")
        text = text.replace("auth-optional mask-src senders <users>", "")
        conf.write_text(text)
        before = "auth_before_7.9 yes\n" if running.smtpd == "7.6" else ""
        use_tables(guide, "dovecot", {"logins": TABLE + before})
        running.server.restart()
    assert len(running.server.tables()) == 1
    yield running
    running.server.check()
    assert running.inbox.rest() == []


def connect(lab: Lab) -> smtplib.SMTP:
    client = mail.connect(port=587)
    client.starttls(context=mail.trusting(lab.guide))
    client.ehlo()
    return client


def log_in(lab: Lab, user: str, password: str = PASSWORD) -> int:
    """Return the code of the reply to AUTH."""
    client = connect(lab)
    try:
        return client.docmd("AUTH PLAIN", mail.plain(user, password))[0]
    finally:
        client.close()


@both
def test_passwords(site: Lab) -> None:
    """smtpd before 7.9 lower-cases them."""
    for user in SCHEMES:
        assert log_in(site, user) == (235 if site.smtpd == "7.9" else 535), user
        assert log_in(site, user.upper()) == (235 if site.smtpd == "7.9" else 535), user
        assert log_in(site, user, PASSWORD.lower()) == 535, user
    assert log_in(site, "small", LOWER) == 235
    assert log_in(site, "small", LOWER + "x") == 535


@once
def test_users_who_do_not_log_in(site: Lab) -> None:
    for user in ("nobody", "carol ", "car%l", "*", "small:x", "x" * 200, "ü"):
        assert log_in(site, user, LOWER) == 535, user


@both
def test_a_request_in_a_user_name(site: Lab) -> None:
    forged = "x\nAUTH\t2\tPLAIN\tservice=smtp\tresp=AAAA"
    assert log_in(site, forged, LOWER) == (535 if site.smtpd == "7.6" else 501)
    assert log_in(site, "small", LOWER) == 235


@once
def test_mail_of_one_who_has_logged_in_to_another(site: Lab) -> None:
    client = connect(site)
    assert client.docmd("AUTH PLAIN", mail.plain("small", LOWER))[0] == 235
    message = mail.compose("small@example.com", "carol@example.com", "logged in")
    assert mail.send(client, "small@example.com", "carol@example.com", message)[0] == 250
    client.quit()
    assert Maildir(site.guide.home("carol") / "Maildir").one().folder == "inbox"


@once
def test_recipients(site: Lab) -> None:
    assert well(site)
    assert said("dora@example.com") == 250
    assert said("dora+tag@example.com") == 250
    with mail.connect() as client:
        message = mail.compose(STRANGER, "alice@example.com", "to a user of Dovecot's")
        assert mail.send(client, STRANGER, "alice@example.com", message)[0] == 250
    assert site.inbox.one().folder == "inbox"


@both
def test_outages(site: Lab, dovecot_auth: DovecotAuth) -> None:
    outages(site, dovecot_auth)
    dovecot_auth.kill9()
    assert 400 <= log_in(site, "small", LOWER) < 500
    dovecot_auth.start()


@once
def test_nothing_is_lost(site: Lab, dovecot_auth: DovecotAuth) -> None:
    nothing_is_lost(site, dovecot_auth, [dovecot_auth.kill9, dovecot_auth.restart])


@both
def test_smtpd_starts_without_dovecot(site: Lab, dovecot_auth: DovecotAuth) -> None:
    starts_without(site, dovecot_auth)
    assert log_in(site, "small", LOWER) == 235


@both
def test_no_secret_in_the_log(site: Lab) -> None:
    log_in(site, "small", "another secret")
    log_in(site, "carol")
    for secret in (LOWER, PASSWORD, PASSWORD.lower(), "another secret", mail.plain("small", LOWER)):
        assert secret not in site.log
