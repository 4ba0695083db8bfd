"""Faults of filters and tables: their lines, their users, their files, and the programs."""

from collections.abc import Callable

from integration.check.faults.table import FILTER, Fault, add, both, change, sh
from integration.check.ground import KEY, Ground
from integration.support.milter_stand_in import MilterStandIn, verifier
from integration.support.rspamd_stand_in import RspamdStandIn

LONG = 4321
"""Seconds that a program hangs, which tell it from others."""
SCRIPTS = {
    "filter-hangs": f"exec sleep {LONG}",
    "filter-dies": 'read line; echo "the model is not there" >&2; exit 1',
    "filter-bogus": "echo 'register|filter|smtp-in|bogus'; echo 'register|ready'; cat >/dev/null",
    "filter-bare": "cat >/dev/null",
}
"""Filters of other people, each with a fault of its own."""
LISTS = "filter-dnsbl --exempt /etc/mail/spared bl.test"
LIBEXEC = "/usr/libexec/opensmtpd"
DATABASE = "/etc/mail/smtpd.sqlite"
ALIASES_CONF = "/etc/mail/aliases.conf"


def other(name: str, mode: str = "0755") -> Callable[[Ground], None]:
    """Return what puts a filter of somebody else behind the guide's."""

    def plant(ground: Ground) -> None:
        ground.put(f"{LIBEXEC}/{name}", f"#!/bin/sh\n{SCRIPTS[name]}\n", mode)
        ground.change("# macros", f'filter other proc-exec "{name}"\n\n# macros')
        ground.change("filter { dkimsign }", "filter { dkimsign other }")

    return plant


def milter(ground: Ground) -> None:
    """Ask a milter of mail that comes in."""
    program = "filter-milter unix:/run/opendkim/opendkim.sock"
    ground.change("# macros", f'filter milter proc-exec "{program}"\n\n# macros')
    ground.change("filter { check_rdns", "filter { milter check_rdns")


def milter_for_root(ground: Ground) -> None:
    """Have a milter whose socket is for root alone."""
    place = ground.guide.view / "run/opendkim/opendkim.sock"
    ground.after.enter_context(MilterStandIn(place, verifier, mode=0o660))


FAULTS = (
    Fault("program missing", change("filter-dkimsign -d", "filter-dkimsing -d"),
          "filter-program-missing", ("filter-dkimsing", "did you mean filter-dkimsign?"),
          "correct its name", FILTER),
    Fault("a third party's program missing",
          both(change("# macros", 'filter scrub proc-exec "filter-admdscrub"\n\n# macros'),
               change("filter { check_rdns", "filter { scrub check_rdns")),
          "filter-program-missing", ("filter-admdscrub",), "install it", "filter scrub"),
    Fault("program not executable", other("filter-bare", "0644"),
          "filter-not-executable", (f"{LIBEXEC}/filter-bare",),
          f"chmod a+x {LIBEXEC}/filter-bare", "filter other"),
    Fault("wrong user", change("user _dkimsign", "user dkimsign"),
          "filter-user-missing", ("dkimsign",), "_dkimsign", FILTER),
    Fault("wrong group", change("group _dkimsign", "group dkimsign"),
          "filter-group-missing", ("dkimsign",), "_dkimsign", FILTER),
    Fault("unknown flag", change("-d example.com", "--domian example.com"),
          "filter-refuses", ("--domian",), "--domain", FILTER),
    Fault("key path wrong", change("private.key", "privat.key"),
          "filter-refuses", ("/etc/mail/dkim/privat.key",), "private.key", FILTER),
    Fault("key unreadable", sh(f"chown root:root {KEY}; chmod 600 {KEY}"),
          "file-unreadable", (KEY, "_dkimsign"), f"_dkimsign {KEY}", FILTER),
    Fault("folder of the key unreadable",
          sh("chown root:root /etc/mail/dkim; chmod 700 /etc/mail/dkim"),
          "file-unreadable", ("/etc/mail/dkim", "_dkimsign"), "/etc/mail/dkim", FILTER),
    Fault("user forgotten", change(" user _dkimsign group _dkimsign", ""),
          "file-unreadable", (KEY, "opensmtpd"), "user _dkimsign", FILTER),
    Fault("user forgotten, key as genkey leaves it",
          both(sh(f"chown -R root:_dkimsign /etc/mail/dkim; chmod 640 {KEY}"),
               sh("chmod 750 /etc/mail/dkim"),
               change(" user _dkimsign group _dkimsign", "")),
          "file-unreadable", (KEY, "opensmtpd", "/etc/mail/dkim"), "write user _dkimsign", FILTER),
    Fault("key readable by all", sh(f"chmod 755 /etc/mail/dkim; chmod 644 {KEY}"),
          "secret-readable", (KEY,), f"chmod o= {KEY}", FILTER, severity="warning"),
    Fault("key readable by another user's group",
          sh(f"chmod 755 /etc/mail/dkim; chgrp alice {KEY}; chmod 640 {KEY}"),
          "secret-readable", (KEY, "alice"), f"chmod g= {KEY}", FILTER, severity="warning"),
    Fault("list of a filter missing",
          both(change("# macros", f'filter lists proc-exec "{LISTS}"\n\n# macros'),
               change("filter { check_rdns", "filter { lists check_rdns")),
          "filter-refuses", ("/etc/mail/spared",), "make the file", "filter lists"),
    Fault("hangs at its start", other("filter-hangs"),
          "filter-hangs", ("other", "5 s"), "remove the line", "filter other"),
    Fault("dies in the handshake", other("filter-dies"),
          "filter-ends", ("other", "the model is not there"), "", "filter other"),
    Fault("registers what smtpd refuses", other("filter-bogus"),
          "filter-ends", ("other", "bogus"), "", "filter other"),
    Fault("defined and unused",
          change("# macros", 'filter lists proc-exec "filter-dnsbl bl.test"\n\n# macros'),
          "filter-unused", ("lists",), "lists", "filter lists", severity="warning"),
    Fault("not defined", change("filter { dkimsign }", "filter { dkimsing }"),
          "conf-syntax", ("dkimsing",), "", "listen on $ipv4 port 465"),
    Fault("a listener without filters",
          change("listen on $ipv6 port 25 tls $optional",
                 "listen on $ipv6 port 25 tls pki example.com auth-optional mask-src"
                 " senders <users> hostname example.com"),
          "listener-unfiltered", ("26",), '"check_rdns", "check_fcrdns"', "listen on $ipv6 port 25",
          severity="warning"),
    Fault("a milter away", milter,
          "filter-refuses", ("unix:/run/opendkim/opendkim.sock", "No such file"),
          "start the milter", "filter milter"),
    Fault("a milter that is not for smtpd", both(milter, milter_for_root),
          "filter-refuses", ("unix:/run/opendkim/opendkim.sock", "Permission denied"), "",
          "filter milter"),
    Fault("rspamd away",
          both(change("# macros", 'filter rspamd proc-exec "filter-rspamd"\n\n# macros'),
               change("filter { check_rdns", "filter { rspamd check_rdns")),
          "filter-refuses", ("http://localhost:11333", "Connection refused"), "start rspamd",
          "filter rspamd"),
    Fault("rspamd for mail of users only",
          both(lambda ground: ground.after.enter_context(RspamdStandIn()),
               change("# macros", 'filter rspamd proc-exec "filter-rspamd"\n\n# macros'),
               change(" filter { check_rdns check_fcrdns }", ""),
               change("filter { dkimsign }", "filter { dkimsign rspamd }")),
          "filter-sees-users-only", ("filter-rspamd", "192.168.0.1"), 'filter "rspamd"',
          "filter rspamd", severity="warning", also=("filter-unused",)),
    Fault("greylisting that forgets",
          both(change("# macros", 'filter greylist proc-exec "filter-greylist"\n\n# macros'),
               change("filter { check_rdns", "filter { greylist check_rdns")),
          "filter-forgets", ("greylist", "memory"), "--state", "filter greylist",
          severity="warning"),
    Fault("limits that forget",
          both(add("/etc/mail/limits", "user messages 60/1h\n"),
               change("# macros",
                      'filter limits proc-exec "filter-limit /etc/mail/limits"\n\n# macros'),
               change("filter { check_rdns", "filter { limits check_rdns")),
          "filter-forgets", ("limits", "memory"), "--state", "filter limits",
          severity="warning"),
    Fault("table's program missing",
          both(add("/etc/mail/ldap.conf", "url ldap://127.0.0.1\n"),
               change("table users file:/etc/mail/users", "table users ldap:/etc/mail/ldap.conf"),
               sh(f"rm {LIBEXEC}/table-ldap")),
          "table-program-missing", ("table-ldap",), "opensmtpd-", "table users",
          also=("conf-refused",)),
    Fault("table's file missing", sh("rm /etc/mail/relayaddr"),
          "conf-syntax", ("/etc/mail/relayaddr",), "", "table relayaddr"),
    Fault("query bad", change("SELECT ", "SELECT val, ", ALIASES_CONF),
          "table-refuses", ("no such column: val",), f"sqlite3 {DATABASE} .schema", "query_alias",
          ALIASES_CONF,
          base="sqlite"),
    Fault("query key typo", change("query_alias ", "query_aliases ", ALIASES_CONF),
          "table-key-ignored", ("query_aliases",), "did you mean query_alias?", "query_aliases",
          ALIASES_CONF, severity="warning", also=("table-refuses",), base="sqlite"),
    Fault("query without a parameter", lambda ground: ground.put(
              ALIASES_CONF, f"dbpath {DATABASE}\nquery_alias SELECT 'alice'\n"),
          "table-refuses", ("query_alias",), "put ? where", "query_alias", ALIASES_CONF,
          base="sqlite"),
    Fault("database missing", change(DATABASE, "/etc/mail/smtpd.sqlit", ALIASES_CONF),
          "table-refuses", ("/etc/mail/smtpd.sqlit",), "correct dbpath", "dbpath", ALIASES_CONF,
          base="sqlite"),
    Fault("database unreadable", sh(f"chgrp root {DATABASE}; chmod 600 {DATABASE}"),
          "file-unreadable", (DATABASE, "opensmtpd"), f"chgrp opensmtpd {DATABASE}",
          "table domains", base="sqlite"),
    Fault("database in a folder that is closed",
          both(sh(f"install -d -m 0700 /root/db; mv {DATABASE} /root/db/u.db"),
               change(DATABASE, "/root/db/u.db", ALIASES_CONF)),
          "file-unreadable", ("/root", "opensmtpd"), "user opensmtpd may enter",
          "table aliases", base="sqlite",
          also=("table-refuses",)),
    Fault("passwords readable by all", sh(f"chmod 644 {DATABASE}"),
          "secret-readable", (DATABASE,), f"chmod o= {DATABASE}", "table credentials",
          severity="warning", base="sqlite"),
)  # fmt: skip
