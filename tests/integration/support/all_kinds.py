"""A server with filters and tables of all kinds, and mail that asks each of them."""

from pathlib import Path

from integration.support.dns_scenes import Chains, listen, ours, port, visit
from integration.support.rspamd_stand_in import RspamdStandIn, spam
from integration.support.table_scenes import ALICE, FORGED, TAKEN, USERNAME, landed, transaction
from integration.support.told import until
from lab.peers import mail
from lab.peers.clients import CONFIRMED_PTR, LYING_PTR, NO_PTR
from lab.root import inside
from lab.shows import moves
from lab.shows.guide import Guide
from lab.support import Lab

KNOWN = "/var/lib/opensmtpd-plugins/known"
"""The folder of what filters know and keep, of smtpd's own user."""
CHAINS: Chains = {
    "verify": (ours("filter-rdns", "--verify --fcrdns junk"),),
    "auth": (ours("filter-auth", "mx.test"),),
    "list": (ours("filter-dnsbl", "--junk-at 1 --exempt /etc/mail/spared bl.test"),),
    "scan": (ours("filter-rspamd"),),
    "later": (ours("filter-greylist", f"--passtime 3600 --state {KNOWN}/state.db"),),
    "scores": (ours("filter-senderscore", "-junkBelow 70 -allowlist /etc/mail/spared"),),
    "limits": (ours("filter-limit", f"--state {KNOWN}/limits.db /etc/mail/limits"),),
    "rules": (ours("filter-headers", "/etc/mail/headers"),),
    "copies": (ours("filter-archive", f"{KNOWN}/copies"),),
}
FILES = {
    "spared": "198.51.100.0/24\n",
    "limits": "address messages 1/1d\n",
    "headers": "reject Subject /casino/\n",
}
"""Files of filters in /etc/mail."""
ALIASES = "/etc/aliases"
REVERSED = ".".join(reversed(NO_PTR.split(".")))
LISTED, SCORED = f"{REVERSED}.bl.test", f"{REVERSED}.score.senderscore.com"


def prepare(guide: Guide) -> None:
    """Have the tables be of all three kinds, and a filter that waits for its first coroutine."""
    moves.to_credentials(guide)
    conf = guide.view / moves.CONF[1:]
    text = conf.read_text()
    line = next(line for line in text.splitlines() if line.startswith("table relayaddr "))
    text = text.replace(line, "table relayaddr flat:/etc/mail/relayaddr")
    line = next(line for line in text.splitlines() if line.startswith("table users "))
    text = text.replace(line, "table users flat:/etc/mail/users")
    line = next(line for line in text.splitlines() if line.startswith("table aliases "))
    text = text.replace(line, f"table aliases flat:{ALIASES}")
    conf.write_text(text)
    (guide.view / ALIASES[1:]).write_text("root:\tusername\n")
    moves.readable(guide, "/etc/mail/relayaddr", "/etc/mail/users", ALIASES)
    for name, rows in FILES.items():
        (guide.view / "etc/mail" / name).write_text(rows)
    inside.done(guide.view, "mkdir", "-p", str(Path(KNOWN).parent))
    inside.done(guide.view, "install", "-d", "-o", "opensmtpd", "-m", "0700", KNOWN)
    listen(guide, CHAINS)


def all_serve(lab: Lab) -> None:
    """Have each filter and each table asked, and see what becomes of it."""
    answers = {(LISTED, "A"): ["127.0.0.2"], (SCORED, "A"): ["127.0.4.9"]}
    lab.dns.records = {**lab.dns.records, **answers}
    verify, listed = (port(CHAINS, title) for title in ("verify", "list"))
    assert visit(lab, CONFIRMED_PTR, verify).place == "inbox"
    judged = visit(lab, CONFIRMED_PTR, port(CHAINS, "auth"))
    assert len(judged.fields(b"Authentication-Results: mx.test;")) == 1
    assert visit(lab, LYING_PTR, verify).place == ".Junk"
    assert visit(lab, NO_PTR, listed).place == ".Junk"
    assert visit(lab, CONFIRMED_PTR, listed).place == "inbox"
    with RspamdStandIn():
        marked = visit(lab, CONFIRMED_PTR, port(CHAINS, "scan"), front=spam("add header"))
    assert marked.place == ".Junk"
    later = visit(lab, CONFIRMED_PTR, port(CHAINS, "later")).place
    assert later.startswith("451 4.7.1 Greylisted, please try again in ")
    assert visit(lab, NO_PTR, port(CHAINS, "scores")).place == ".Junk"
    limited = [visit(lab, CONFIRMED_PTR, port(CHAINS, "limits")).place for _ in range(2)]
    assert limited[1].startswith("450 4.7.1 Too many messages, please try again in ")
    offer = visit(lab, CONFIRMED_PTR, port(CHAINS, "rules"), front="Subject: A casino\r\n")
    assert offer.place == "550 5.7.1 Message refused"
    kept = visit(lab, CONFIRMED_PTR, port(CHAINS, "copies"))
    copies = lab.guide.view / KNOWN[1:] / "copies/new"
    until(lambda: list(copies.iterdir()))
    (copy,) = copies.iterdir()
    assert kept.message.partition(b"\n\n")[2] in copy.read_bytes()
    copy.unlink()
    with mail.submission(lab.guide) as client:  # tables of users, senders, domains and aliases
        assert transaction(client, ALICE, "alice@mail.example.com", "signed") == TAKEN
        assert b"DKIM-Signature: " in lab.inbox.one().message
        assert transaction(client, USERNAME, ALICE, "forged") == FORGED
        assert transaction(client, ALICE, "root@example.com", "alias") == TAKEN
        assert landed(lab, "username") == "inbox"
    for table in ("aliases", "relayaddr"):
        assert "command succeeded" in moves.smtpctl(lab.guide, "update", "table", table)
