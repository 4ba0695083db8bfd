"""Faults of rules and listeners, of the files around them, and of the queue."""

import os
import subprocess
import time
from collections.abc import Callable
from datetime import timedelta

from integration.check.faults.table import Fault, add, both, change, record, sh
from integration.check.ground import CONF, Ground

PLANTED = 'match from any for any action "outbound"'
RULES_CONF = "/etc/mail/rules.conf"
MANY = 300
"""Addresses of an interface: as many as the guide warns of."""


ENVELOPE = """version: 3
dispatcher: outbound
type: mta
smtpname: example.com
helo: localhost
hostname: example.com
errorline: Temporary failure in MX lookup
sockaddr: local
sender: alice@example.com
rcpt: bob@outside.example.org
dest: bob@outside.example.org
ctime: {came}
last-try: {came}
last-bounce: 0
ttl: 345600
retry: 9
flags: authenticated
dsn-notify: 0
esc-class: 4
esc-code: 0
"""


def rule(line: str) -> Callable[[Ground], None]:
    """Return what adds a rule behind the guide's last one."""
    return add(CONF, f"{line}\n")


def relay(title: str, line: str, said: tuple[str, ...] = ("anybody",), path: str = CONF) -> Fault:
    """Return an open relay of one line."""
    return Fault(f"open relay: {title}", rule(line), "open-relay", said, "", line, path)


def waiting(age: timedelta, count: int = 3) -> Callable[[Ground], None]:
    """Return what puts messages into the queue, with what smtpd writes of a failed attempt."""

    def plant(ground: Ground) -> None:
        came = int(time.time() - age.total_seconds())
        for number in range(count):
            message = f"890f0e8{number}"
            folder = f"/var/spool/smtpd/queue/89/{message}"
            envelope = ENVELOPE.format(came=came)
            ground.put(f"{folder}/{message}c6ae9649", envelope, "0600", "opensmtpq:root")
            ground.put(f"{folder}/message", "Subject: x\n\nhello\n", "0600", "opensmtpq:root")
            for path in ground.view.joinpath(folder[1:]).iterdir():
                os.utime(path, (came, came))
        ground.sh("cd /var/spool/smtpd; mkdir incoming offline purge temporary;"
                  " chmod 711 .; chmod 700 incoming purge queue temporary queue/89 queue/89/*;"
                  " chgrp opensmtpq offline; chmod 770 offline;"
                  " chown -R opensmtpq incoming purge queue temporary")  # fmt: skip

    return plant


def in_another_file(ground: Ground) -> None:
    text = ground.read(CONF)
    head, mark, rest = text.partition("# rules\n")
    ground.put(RULES_CONF, f"{mark}{rest}{PLANTED}\n", "0640")
    ground.put(CONF, f'{head}include "{RULES_CONF}"\n', "0640")


def addresses(what: str) -> None:
    lines = [f"address {what} 2001:db8:1::{n:x}/128 dev vio0\n" for n in range(1, MANY + 1)]
    subprocess.run(["ip", "-batch", "-"], input="".join(lines), text=True, check=True)


def many_addresses(ground: Ground) -> None:
    addresses("add")
    ground.after.callback(addresses, "del")
    ground.change("listen on $ipv6 port 25", "listen on vio0 port 25")


RULES = (
    relay("anybody for any", PLANTED),
    relay("all networks", 'match from src { "0.0.0.0/0" } for any action "outbound"'),
    relay("all networks of IPv6", 'match from src "::/0" for any action "outbound"'),
    relay("a sender whom anybody may forge",
          'match from mail-from "@example.com" for any action "outbound"',
          ("gives the sender",)),
    relay("a HELO name that anybody may say",
          'match from any helo "mail.example.com" for any action "outbound"',
          ("says HELO mail.example.com",)),
    relay("every domain", 'match from any for domain "*" action "outbound"'),
    relay("all domains but our own", 'match from any !for domain <domains> action "outbound"'),
    relay("without authentication", 'match !auth from any for any action "outbound"'),
    relay("a regular expression", 'match from any for domain regex { ".*" } action "outbound"'),
    Fault("open relay: a trusted network too large", add("/etc/mail/relayaddr", "0.0.0.0/0\n"),
          "open-relay", ("anybody",), "take 0.0.0.0/0 out of /etc/mail/relayaddr",
          "match from src <relayaddr>"),
    Fault("open relay: a tag of a listener for all",
          both(change("listen on $ipv4 port 25 tls $optional",
                      "listen on $ipv4 port 25 tls tag IN $optional"),
               rule('match from any tag IN for any action "outbound"')),
          "open-relay", ("anybody", "port 25"), "", "match from any tag IN"),
    Fault("open relay: in another file", in_another_file,
          "open-relay", ("anybody",), "", PLANTED, RULES_CONF),
    Fault("a rule that comes too late",
          both(rule("match from any for any reject"), rule(PLANTED)),
          "rule-unreachable", ("41",), "", PLANTED, severity="warning"),
    Fault("a domain local and relayed",
          both(add(CONF, 'action "onward" relay host smtp://192.168.0.9\n'),
               rule('match from any for domain { "example.com", "other.example" } action "onward"'),
               record("other.example", "MX", "10 example.com.")),
          "domain-both-ways", ("example.com", "37"), "", "match from any for domain {",
          severity="warning"),
)  # fmt: skip

LISTENERS = (
    Fault("587 without authentication",
          change("listen on $ipv4 port 587 tls-require $required",
                 "listen on $ipv4 port 587 tls-require pki example.com filter dkimsign"),
          "listener-without-auth", ("587",), "auth", "listen on $ipv4 port 587",
          severity="warning"),
    Fault("465 without TLS", change("listen on $ipv4 port 465 smtps $required",
                                    "listen on $ipv4 port 465 filter dkimsign"),
          "listener-465-without-smtps", ("465",), "smtps", "listen on $ipv4 port 465",
          severity="warning"),
    Fault("465 with STARTTLS",
          change("listen on $ipv4 port 465 smtps", "listen on $ipv4 port 465 tls-require"),
          "listener-465-without-smtps", ("465",), "smtps", "listen on $ipv4 port 465",
          severity="warning"),
    Fault("authentication without TLS",
          change("listen on $ipv4 port 25 tls $optional", "listen on $ipv4 port 25 $optional"),
          "listener-auth-without-tls", ("25",), "tls-require", "listen on $ipv4 port 25",
          also=("conf-refused",)),
    Fault("hundreds of addresses", many_addresses,
          "listener-many-addresses", ("vio0",), "listen on", "listen on vio0", severity="warning"),
)  # fmt: skip

FILES = (
    Fault("/etc/mail writable by all", sh("chmod 777 /etc/mail"),
          "folder-writable", ("everybody", "/etc/mail"), "chmod o-w /etc/mail",
          also=("secret-writable",)),
    Fault("smtpd.conf writable by all", sh(f"chmod 666 {CONF}"),
          "file-writable", ("everybody",), f"chmod o-w {CONF}"),
    Fault("aliases writable by all", sh("chmod 666 /etc/mail/aliases"),
          "file-writable", ("everybody",), "chmod o-w /etc/mail/aliases",
          path="/etc/mail/aliases"),
    Fault("alias loop", add("/etc/mail/aliases", "sales: orders\norders: sales\n"),
          "alias-loop", ("sales",), "USER", "sales", "/etc/mail/aliases"),
    Fault("alias to nobody", add("/etc/mail/aliases", "sales: nosuchuser\n"),
          "alias-target-missing", ("sales", "nosuchuser"), "make the user", "sales",
          "/etc/mail/aliases"),
    Fault("queue stuck", waiting(timedelta(hours=50)),
          "queue-stuck", ("3", "hours"), "smtpctl show queue", path="", severity="warning"),
    Fault("alias to nobody in a list", add("/etc/mail/aliases", "sales: alice, nosuchuser\n"),
          "alias-target-missing", ("sales", "nosuchuser"), "make the user", "sales",
          "/etc/mail/aliases"),
)  # fmt: skip
