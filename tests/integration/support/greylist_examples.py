"""Strangers whose mail filter-greylist puts off, as pages of ours have it, and who come again."""

import sqlite3
from contextlib import closing
from time import monotonic

from integration.support.dns_scenes import Fate, visit
from integration.support.manual_machine import Machine
from integration.support.package_folders import PLACE, make_folder
from lab.peers import mail
from lab.peers.clients import CONFIRMED_PTR, LYING_PTR
from lab.peers.databases.valkey import ValkeyServer
from lab.root.namespace import STRANGER
from lab.root.namespace import visit as present
from lab.shows import manual
from lab.shows.demo import LOCAL
from lab.shows.demo import STRANGER as SENDER
from opensmtpd.backends.redis.link import RedisLink
from opensmtpd.backends.redis.place import RedisPlace
from opensmtpd.backends.redis.resp import pack

FOLDER = f"{PLACE}/greylist"
SECRET = "/etc/mail/mx.secret"
PUT_OFF = "451 4.7.1 Greylisted, please try again in 300 seconds"
"""The reply to the first attempt."""
FIELD = b"X-Greylist: delayed 3"
"""The beginning of the field: some 300 seconds."""
AGE = 301_000_000
"""Microseconds by which attempts are made older: five minutes are waited so."""
AGE_IN_LUA = f"""
for _, key in ipairs(redis.call('KEYS', 'greylist:g*')) do
  local first, rest = string.match(redis.call('GET', key), '^(%d+)( .*)$')
  redis.call('SET', key, string.format('%.0f', first - {AGE}) .. rest, 'KEEPTTL')
end
return 1
"""


def wait(machine: Machine) -> None:
    """Have five minutes pass for what is in the file."""
    path = machine.view / FOLDER[1:] / "state.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as state:
        state.execute("UPDATE steps SET a = a - ? WHERE key >= x'67' AND key < x'68'", (AGE,))


def wait_on_valkey() -> None:
    """Have five minutes pass for what is on the server."""
    link, until = RedisLink(RedisPlace(host="127.0.0.1")), monotonic() + 10
    link.open(until)
    [reply] = link.exchange(pack([b"EVAL", AGE_IN_LUA.encode(), b"0"]), 1, until)
    link.close()
    assert reply == 1, reply


def knock(machine: Machine, address: str = CONFIRMED_PTR, sender: str = SENDER) -> Fate:
    """Have a stranger send Alice a mail."""
    return visit(machine.lab, address, 25, sender=sender)


def passes_late(found: Fate) -> bool:
    """Return whether a mail has come, and says that it was delayed."""
    return found.place == "inbox" and len(found.fields(FIELD)) == 1


def passes(found: Fate) -> bool:
    """Return whether a mail has come at once."""
    return found.place == "inbox" and found.fields(b"X-Greylist") == []


def log_of(machine: Machine, *lines: str) -> None:
    """Look for lines in the log of smtpd."""
    assert [line for line in lines if line not in machine.lab.log] == []


def known_from_then_on(machine: Machine) -> None:
    """Who has come again is let in at once, with its neighbours, after a restart as well."""
    assert knock(machine).place == PUT_OFF
    assert knock(machine).place.startswith("451 4.7.1 Greylisted, please try again in ")
    wait(machine)
    assert passes_late(knock(machine))
    machine.lab.server.restart()
    assert passes(knock(machine, LYING_PTR, "carol@example.org"))
    client = "client=192.0.2.0/24"
    log_of(machine, f"greylist-defer {client} wait=300 address={CONFIRMED_PTR} ")
    log_of(machine, f"greylist-pass {client} delay=3")


def friends_of_users_are_known(machine: Machine) -> None:
    """So it is; and those whom a user of ours has written to, where SPF says that it is them."""
    known_from_then_on(machine)
    spf = {("outside.example.org", "TXT"): [f'"v=spf1 ip4:{STRANGER} -all"']}
    machine.lab.dns.records = {**machine.lab.dns.records, **spf}
    friends = ("carol@outside.example.org", "eve@outside.example.org")
    with present(STRANGER):
        assert knock(machine, STRANGER, friends[0]).place == PUT_OFF
        with mail.submission(machine.lab.guide) as client:
            message = mail.compose(LOCAL, friends[0], "to a friend")
            assert mail.send(client, LOCAL, friends[0], message)[0] == 250
        assert passes(knock(machine, STRANGER, friends[1]))
    assert b"Subject: to a friend" in machine.lab.sink.receive().message
    log_of(machine, f"greylist-defer client=spf:outside.example.org wait=300 address={STRANGER} ")


def known_to_all_servers(machine: Machine) -> None:
    """What one server has learned is on Valkey, where the next one finds it."""
    assert knock(machine).place == PUT_OFF
    wait_on_valkey()
    assert passes_late(knock(machine))
    machine.lab.server.restart()
    assert passes(knock(machine, LYING_PTR, "carol@example.org"))


def as_postgrey_does(machine: Machine) -> None:
    """Those on its lists need not come again, and one who has is not white yet."""
    with present(STRANGER):
        assert passes(knock(machine, STRANGER, "carol@example.org"))
    assert passes(knock(machine, CONFIRMED_PTR, "carol@example.org"))
    assert knock(machine, LYING_PTR, "carol@example.org").place == PUT_OFF
    with mail.connect(LYING_PTR) as client:
        client.mail("carol@example.org")
        replies = [client.rcpt(f"{user}@example.com")[0] for user in ("alice", "bob", "bob+x")]
    assert replies == [451, 250, 250]
    wait(machine)
    assert passes_late(knock(machine, LYING_PTR, "carol@example.org"))
    assert knock(machine, LYING_PTR, "dan@example.org").place == PUT_OFF


def begin_anew(machine: Machine) -> None:
    """Have the user and the folder, and know nobody."""
    make_folder(machine.view, "greylist")
    machine.run(f"rm -f {FOLDER}/state.db*")


def have_friends(machine: Machine) -> None:
    """Know nobody, and have a list of the filter in Go."""
    begin_anew(machine)
    (machine.view / "etc/mail/friends").write_text("198.51.100.9\n")


def have_lists(machine: Machine) -> None:
    """Know nobody, and have the lists of postgrey that the page of the filter shows."""
    begin_anew(machine)
    machine.run("mkdir -p /etc/postgrey")
    page = (manual.PAGES / "filter-greylist.8").read_text()
    for display in manual.displays(manual.sections(page)["EXAMPLES"]):
        if display.kind == "file":
            machine.put(display)


def get_valkey_ready(valkey: ValkeyServer, machine: Machine) -> None:
    """Have an empty database, the user of the page, and its password in a file."""
    valkey.execute("FLUSHDB")
    valkey.account("mx", "s3cret")
    machine.records = {**machine.records, ("valkey.example.com", "A"): [valkey.address]}
    machine.lab.dns.records = machine.records
    secret = machine.view / SECRET[1:]
    secret.write_text("s3cret\n")
    machine.run(f"chown _greylist {SECRET} && chmod 0400 {SECRET}")
