"""Users, a web application and strangers who send more than filter-limit allows."""

from smtplib import SMTP

from integration.support.dns_scenes import visit
from integration.support.greylist_examples import SECRET
from integration.support.manual_machine import Machine
from integration.support.package_folders import PLACE, make_folder
from integration.support.told import until
from lab.peers import mail
from lab.peers.clients import CONFIRMED_PTR, LYING_PTR
from lab.peers.databases.valkey import ValkeyServer
from lab.root import inside
from lab.root.namespace import STRANGER
from lab.root.namespace import visit as present
from lab.shows.demo import LOCAL
from lab.shows.demo import STRANGER as SENDER

ALICE = "alice@example.com"
STOPPED = (550, b"5.7.1 This account has sent too much mail and is stopped")
LATER = b"4.7.1 Too many messages, please try again in "
OUTSIDE = "carol@outside.example.org"
PREFIX = "2026-11-30T23:10:54.123456+00:00 mx1 smtpd[4711]: "
"""What rsyslog writes in front of a line."""
ENOUGH = 400
"""Messages after which it is no question of speed any more that none was refused."""


def begin_anew(machine: Machine) -> None:
    """Have the user and the folder, and nothing counted."""
    make_folder(machine.view, "limit")
    machine.run(f"rm -f {PLACE}/limit/*")


def says(machine: Machine, *lines: str) -> None:
    """Look for lines in the log of smtpd."""
    assert [line for line in lines if line not in machine.lab.log] == []


def until_refused_at_rcpt(client: SMTP, sender: str, most: int) -> mail.Reply:
    """Name recipients until one is refused, not before ``most``; returns the reply."""
    client.mail(sender)
    taken = 0
    while (reply := client.rcpt(f"alice+{taken}@example.com"))[0] == 250:
        taken += 1
        assert taken < ENOUGH
    assert taken >= most
    return reply


def stop_alice(machine: Machine, most: int) -> None:
    """Have Alice name more recipients than she may; she is refused then, in each session."""
    with mail.submission(machine.lab.guide) as client:
        assert until_refused_at_rcpt(client, ALICE, most) == STOPPED
    with mail.submission(machine.lab.guide) as client:
        assert client.mail(ALICE) == STOPPED
    says(machine, "user=alice whose=user name=alice ", " action=stop", "limit-stopped user=alice ")


def has_mail(machine: Machine, user: str) -> None:
    """Have a user send Alice a mail, which comes."""
    with mail.submission(machine.lab.guide, user) as client:
        message = mail.compose(f"{user}@example.com", ALICE, "within the limits")
        assert mail.send(client, f"{user}@example.com", ALICE, message)[0] == 250
    assert machine.folder() == "inbox"


def account_is_stopped(machine: Machine) -> None:
    """One user is stopped, and not another one."""
    stop_alice(machine, 100)
    has_mail(machine, "username")


def account_is_released(machine: Machine) -> None:
    """Who was stopped may send again, and is stopped once more when it is too much."""
    has_mail(machine, "alice")
    stop_alice(machine, 99)


def application_waits(machine: Machine) -> None:
    """All mail of a program on this machine comes, some of it later."""
    sent = 0
    while "limit-pace wait=" not in machine.lab.log:
        assert sent < 20
        message = mail.compose(ALICE, OUTSIDE, f"number {sent}")
        mail.sendmail(machine.view, "alice", OUTSIDE, message)
        sent += 1
    subjects = {machine.lab.sink.take().partition(b"Subject: ")[2][:9] for _ in range(sent)}
    assert len(subjects) == sent


def send(machine: Machine, address: str) -> mail.Reply:
    """Have a stranger send Alice a mail."""
    with mail.connect(address) as client:
        return mail.send(client, SENDER, LOCAL, mail.compose(SENDER, LOCAL, "one of many"))


def until_refused(machine: Machine, address: str, most: int) -> mail.Reply:
    """Have a client send mail until it is refused, not before ``most``; returns the reply."""
    taken = 0
    while (reply := send(machine, address))[0] == 250:
        taken += 1
        assert taken < ENOUGH
    assert taken >= most
    machine.lab.inbox.take(taken, 120)
    return reply


def network_is_put_off(machine: Machine) -> None:
    """A network that sends too much has to wait, after a restart as well, and not another one."""
    code, text = until_refused(machine, CONFIRMED_PTR, 60)
    assert (code, text[: len(LATER)]) == (450, LATER)
    until(lambda: not machine.run("smtpctl show queue"))  # or some come twice
    machine.lab.server.restart()
    assert send(machine, LYING_PTR)[0] == 450
    says(machine, 'whose=network name=192.0.2.0/24 limit="messages 60/10m" action=defer')
    with present(STRANGER):
        assert send(machine, STRANGER)[0] == 250
        assert machine.folder() == "inbox"
        with mail.connect(STRANGER) as client:
            reply = until_refused_at_rcpt(client, SENDER, 99)
    assert reply == (550, b"5.7.1 Too many recipients")
    banned(machine)


def banned(machine: Machine) -> None:
    """fail2ban knows who was refused for good, by the files of the page, and nobody else."""
    if inside.tried(machine.view, "which", "fail2ban-regex").returncode:
        return  # the root of 7.9 has none
    lines = (f"{PREFIX}{line}\n" for line in machine.lab.log.splitlines())
    (machine.view / "var/log/mail.log").write_text("".join(lines))
    found = machine.run("fail2ban-regex -o ip /var/log/mail.log filter-limit")
    assert set(found.split()) == {CONFIRMED_PTR, STRANGER}  # Alice was the first one


def get_valkey_ready(valkey: ValkeyServer, machine: Machine) -> None:
    """Have nothing counted, an empty database, the user of the page, and its password in a file."""
    begin_anew(machine)
    valkey.execute("FLUSHDB")
    valkey.account("mx", "s3cret")
    machine.records = {**machine.records, ("valkey.example.com", "A"): [valkey.address]}
    machine.lab.dns.records = machine.records
    (machine.view / SECRET[1:]).write_text("s3cret\n")
    machine.run(f"chown _limit {SECRET} && chmod 0400 {SECRET}")


def thirty_messages(machine: Machine) -> None:
    """A client has thirty messages taken in an hour, and others refused."""
    places = [visit(machine.lab, CONFIRMED_PTR, 25).place for _ in range(31)]
    assert places == ["inbox"] * 30 + ["550 5.7.1 Too many messages"]
    line = f"limit-exceeded address={CONFIRMED_PTR} whose=address name={CONFIRMED_PTR}"
    assert f'{line} limit="messages 30/1h" action=reject\n' in machine.lab.log
