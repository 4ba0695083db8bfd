"""smtpd with all its tables on a socketmap server: in lines, in netstrings, and over TCP."""

import re
from collections.abc import Iterator

import pytest

from integration.support.network_scenes import (
    nothing_is_lost,
    outages,
    said,
    starts_without,
    until,
    use_tables,
    well,
)
from lab.peers import mail
from lab.peers.databases.socketmap import SocketmapServer
from lab.root import inside, namespace
from lab.root.namespace import visit
from lab.shows import moves
from lab.shows.demo import STRANGER
from lab.shows.guide import PASSWORD, Guide
from lab.support import Lab, on_both

LINES = "/run/socketmap/lines"
CONFS = {
    "domains": "socket /run/socketmap/netstrings\nmap domains\n",
    "aliases": "socket /run/socketmap/lines\nprotocol line\n",
    "users": "host 127.0.0.1\nport 8090\nmap_mailaddrmap senders\n",
    "logins": "host localhost\nport 8090\n",
}
"""The last one has no map: the name of the table is one."""


def prepare(guide: Guide) -> None:
    """Change nothing before the server is there."""


both, once = on_both("socketmap", prepare)


def rows(guide: Guide) -> dict[bytes, bytes]:
    """Return what the server knows."""
    shadow = (guide.view / "etc/shadow").read_text().splitlines()
    (hash,) = [line.split(":")[1] for line in shadow if line.startswith("alice:")]
    ids = inside.done(guide.view, "sh", "-c", "echo $(id -u alice):$(id -g alice)").strip()
    return {
        b"domains example.com": b"yes",
        b"aliases alice": b"alice",
        b"aliases sales": b"alice",
        b"aliases broken": b"TEMP no database",
        b"people alice": f"{ids}:/home/alice".encode(),
        b"senders alice": b"alice@example.com, sales@example.com",
        b"logins alice": f"alice:{hash}".encode(),
    }


@pytest.fixture
def site(running: Lab, socketmap: SocketmapServer) -> Iterator[Lab]:
    """smtpd whose tables are on the server."""
    guide = running.guide
    conf = guide.view / moves.CONF[1:]
    if "socketmap" not in conf.read_text():
        socketmap.rows(rows(guide).items())
        socketmap.share(guide.view)
        text = conf.read_text().replace("alias <aliases>", "userbase <people> alias <aliases>")
        text = text.replace("auth mask-src senders", "auth <logins> mask-src senders")
        people = f"table people socketmap:{LINES}\n\n# Blocks junk mail"
        conf.write_text(text.replace("# Blocks junk mail", people))
        use_tables(guide, "socketmap", CONFS)
        running.server.restart()
    plugins = running.server.tables()
    assert len(plugins) == len(CONFS) + 1
    yield running
    running.server.check()
    assert running.inbox.rest() == []


def told_a_stranger(recipient: str) -> int:
    """Return the reply to RCPT TO of somebody who may not relay."""
    with visit(namespace.STRANGER), mail.connect(namespace.STRANGER) as client:
        client.mail(STRANGER)
        return client.rcpt(recipient)[0]


@once
def test_recipients(site: Lab) -> None:
    for user in ("alice", "sales"):
        with mail.connect() as client:
            to = f"{user}@example.com"
            message = mail.compose(STRANGER, to, f"to {user}")
            assert mail.send(client, STRANGER, to, message)[0] == 250
        assert site.inbox.one().folder == "inbox"
    assert said("noone@example.com") == 550
    assert told_a_stranger("alice@example.com") == 250
    assert told_a_stranger("alice@example.org") == 550
    assert 400 <= said("broken@example.com") < 500


@once
def test_passwords_and_senders(site: Lab) -> None:
    with mail.submission(site.guide) as client:
        assert client.mail("sales@example.com")[0] == 250
        client.rset()
        assert client.mail("noone@example.com")[0] == 530
    client = mail.connect(port=587)
    client.starttls(context=mail.trusting(site.guide))
    client.ehlo()
    assert client.docmd("AUTH PLAIN", mail.plain("alice", PASSWORD + "x"))[0] == 535
    assert client.docmd("AUTH PLAIN", mail.plain("nobody", PASSWORD))[0] == 535
    client.close()


@both
def test_a_request_in_a_user_name(site: Lab) -> None:
    """smtpd before 7.9 sends such a name as it is, and the server would take it for two lines."""
    client = mail.connect(port=587)
    client.starttls(context=mail.trusting(site.guide))
    client.ehlo()
    code = client.docmd("AUTH PLAIN", mail.plain("x\nlogins alice", PASSWORD))[0]
    assert code == (535 if site.smtpd == "7.6" else 501)
    client.close()
    assert well(site)


@both
def test_outages(site: Lab, socketmap: SocketmapServer) -> None:
    outages(site, socketmap)


@once
def test_nothing_is_lost(site: Lab, socketmap: SocketmapServer) -> None:
    nothing_is_lost(site, socketmap, [socketmap.kill9, socketmap.restart, socketmap.pause])


@both
def test_smtpd_starts_without_the_server(site: Lab, socketmap: SocketmapServer) -> None:
    starts_without(site, socketmap)


@once
def test_an_update(site: Lab, socketmap: SocketmapServer) -> None:
    conf = site.guide.view / "etc/mail/domains.conf"
    text = conf.read_text()
    conf.write_text(re.sub("map domains", "map others", text))
    moves.smtpctl(site.guide, "update", "table", "domains")
    until(lambda: told_a_stranger("alice@example.com") == 550)
    conf.write_text(text)
    moves.smtpctl(site.guide, "update", "table", "domains")
    until(lambda: well(site))
