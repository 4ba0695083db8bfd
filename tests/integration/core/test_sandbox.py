"""Filters and tables of all kinds on a real smtpd, confined: what they need still works.

Their files are in /etc/mail, where others are, too, but for the key.
"""

import os
import signal
import time
from pathlib import Path

import pytest

from integration.support import all_kinds
from integration.support.all_kinds import all_serve
from integration.support.checks import ALICE, hang_up, logged
from integration.support.dns_scenes import port, visit
from integration.support.table_scenes import TAKEN, landed, transaction
from lab.peers import mail
from lab.peers.clients import NO_PTR
from lab.peers.verify import flaw, signatures
from lab.shows import moves
from lab.shows.guide import Guide
from lab.support import Lab, setups
from unit.support.child import PATIENCE
from unit.support.prying import CONFINED, FREE, status

PROGRAMS = (
    "filter-archive",
    "filter-auth",
    "filter-dkimsign",
    "filter-rdns",
    "filter-dnsbl",
    "filter-greylist",
    "filter-headers",
    "filter-limit",
    "filter-rspamd",
    "filter-senderscore",
    "table-flat",
    "table-sqlite",
)


def prepare(guide: Guide) -> None:
    """Have tables and filters of all kinds, and one filter without a sandbox."""
    all_kinds.prepare(guide)
    conf = guide.view / moves.CONF[1:]
    free = 'filter free proc-exec "filter-rdns --no-sandbox"\n'
    listener = "listen on $ipv4 port 2699 filter free hostname example.com\n"
    text = conf.read_text()
    for place, lines in (("# macros", free), ("# rules", listener)):
        text = text.replace(place, f"{lines}\n{place}")
    conf.write_text(text)


pytestmark = pytest.mark.parametrize("running", setups("sandbox", prepare), indirect=True, ids=str)


def processes(lab: Lab) -> dict[str, list[int]]:
    """Return the process ids of each program, those of its children with them."""
    found: dict[str, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:  # it has ended
                continue
            if command.startswith(("sh ", "/bin/sh ")) or "--no-sandbox" in command:
                continue
            for name in PROGRAMS:
                if f"/{name} " in f"{command} " or command.startswith(f"{name}: "):
                    found.setdefault(name, []).append(int(entry.name))
    return found


def replace(lab: Lab, name: str, text: str) -> None:
    """Rename another file over one of the server's, as an editor does."""
    path = lab.guide.view / name[1:]
    new = path.with_name("new")
    new.write_text(text)
    os.chown(new, path.stat().st_uid, path.stat().st_gid)
    new.chmod(path.stat().st_mode & 0o777)
    new.rename(path)


def test_every_process_is_confined(lab: Lab) -> None:
    """A stem confines itself when it has answered its front, and forks no worker before."""
    end = time.monotonic() + PATIENCE
    while not all_confined(confinements(lab)) and time.monotonic() < end:
        time.sleep(0.1)
    found = confinements(lab)
    assert set(found) == set(PROGRAMS)
    for name, each in found.items():
        assert each == [CONFINED] * len(each), name
    assert "sandbox-missing" not in lab.log


def all_confined(found: dict[str, list[dict[str, str]]]) -> bool:
    return all(one == CONFINED for each in found.values() for one in each)


def confinements(lab: Lab) -> dict[str, list[dict[str, str]]]:
    """Return what the kernel says of the processes of each program."""
    return {name: [status(pid) for pid in pids] for name, pids in processes(lab).items()}


def test_one_that_was_told_not_to_is_not(lab: Lab) -> None:
    free = [
        pid
        for pid in lab.server.plugins()
        if b"--no-sandbox" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    assert [status(pid) for pid in free] == [FREE]


def test_all_serve(lab: Lab) -> None:
    all_serve(lab)


def test_a_large_message_waits_in_a_file_and_is_signed(lab: Lab) -> None:
    with mail.submissions(lab.guide) as client:
        message = mail.compose(ALICE, ALICE, "large")
        message += b"\r\n".join([b"x" * 70] * 100_000) + b"\r\n"
        assert mail.send(client, ALICE, ALICE, message)[0] == 250
    delivered = lab.inbox.one().message
    assert len(delivered) > 7_000_000
    assert (signatures(delivered), flaw(delivered)) == (1, None)


def test_a_key_that_was_replaced_signs_after_a_reload(lab: Lab) -> None:
    key = lab.guide.view / "etc/mail/dkim/private.key"
    replace(lab, "/etc/mail/dkim/private.key", key.read_text())
    hang_up(lab, "reloaded")
    with mail.submissions(lab.guide) as client:
        assert mail.send(client, ALICE, ALICE, mail.compose(ALICE, ALICE, "signed"))[0] == 250
    delivered = lab.inbox.one().message
    assert (signatures(delivered), flaw(delivered)) == (1, None)


def test_files_in_etc_mail_that_were_replaced_are_read_again(lab: Lab) -> None:
    relay = lab.guide.view / "etc/mail/relayaddr"
    replace(lab, "/etc/mail/relayaddr", relay.read_text() + "192.0.2.77\n")
    assert "command succeeded" in moves.smtpctl(lab.guide, "update", "table", "relayaddr")
    listed = port(all_kinds.CHAINS, "list")
    for rows, place in ((f"{NO_PTR}\n", "inbox"), ("198.51.100.0/24\n", ".Junk")):
        replace(lab, "/etc/mail/spared", rows)
        before = lab.log.count(" reloaded")
        (pid,) = lab.server.filters("filter-dnsbl")
        os.kill(pid, signal.SIGHUP)
        logged(lab, "reloaded", before)
        assert visit(lab, NO_PTR, listed).place == place


def test_etc_aliases_that_was_replaced_is_read_again(lab: Lab) -> None:
    for user in ("alice", "username"):
        replace(lab, all_kinds.ALIASES, f"root:\t{user}\n")
        assert "command succeeded" in moves.smtpctl(lab.guide, "update", "table", "aliases")
        with mail.submission(lab.guide) as client:
            assert transaction(client, ALICE, "root@example.com", "alias") == TAKEN
            assert landed(lab, user) == "inbox"


def test_a_database_that_was_replaced_is_asked(lab: Lab) -> None:
    database = lab.guide.view / moves.DATABASE[1:]
    data = database.read_bytes()
    new = database.with_name("new.sqlite")
    new.write_bytes(data)
    os.chown(new, database.stat().st_uid, database.stat().st_gid)
    new.chmod(database.stat().st_mode & 0o777)
    new.rename(database)
    all_serve(lab)
