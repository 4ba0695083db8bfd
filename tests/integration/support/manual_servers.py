"""Servers as the manual pages of their tables have them."""

from integration.support.manual_machine import Machine
from lab.peers.databases.dovecot_auth import CONF, DovecotAuth
from lab.peers.databases.socketmap import SocketmapServer
from lab.root import inside
from lab.shows import manual
from lab.shows.guide import PASSWORD


def maps(server: SocketmapServer, machine: Machine) -> None:
    """Have the maps that table-socketmap(5) asks."""
    rows = {b"mail sales": b"alice, bob", b"aliases sales": b"alice, bob"}
    server.rows([*rows.items(), (b"domains example.com", b"ours")])
    server.share(machine.view)


def dovecot(server: DovecotAuth, machine: Machine) -> None:
    """Configure Dovecot as table-dovecot(5) does, with Alice as a user of its own."""
    source = (manual.PAGES / "table-dovecot.5").read_text()
    shown = manual.displays(manual.sections(source)["EXAMPLES"])
    (lines,) = [each.text for each in shown if each.place == "/etc/dovecot/local.conf"]
    ids = machine.run("echo $(id -u alice):$(id -g alice)").strip()
    hashed = server.run("doveadm", "pw", "-s", "SSHA512", "-p", PASSWORD).strip()
    users = server.view / "etc/dovecot/users"
    users.write_text(f"alice:{hashed}:{ids}::/home/alice::\n")
    # It runs in a root of its own, where smtpd's user may have another number.
    machine.run("mkdir -p /etc/dovecot")
    uid = machine.run("id -u opensmtpd").strip()
    inside.done(server.view, "usermod", "--non-unique", "--uid", uid, "opensmtpd")
    server.configure(CONF.replace("auth_failure_delay = 0\n", "") + lines)
    server.restart()  # the owner of its sockets is another one, even with the same lines
    server.share(machine.view)
