"""The EXAMPLES of the manual pages on real smtpd: each line, each file and each command of them.

So are the lines of README.md and docs/ for filters that judge clients. A display or a command for
which nothing is written here fails a test.
"""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from integration.support import (
    archive_examples,
    greylist_examples,
    headers_examples,
    ldap_directory,
    limit_examples,
    manual_servers,
    metrics_server,
    mysql_example,
    postgres_example,
    senderscore_examples,
    valkey_example,
)
from integration.support.dns_scenes import Fate, listings, visit
from integration.support.manual_machine import Expected, Machine, surrounded
from integration.support.milter_examples import (
    greylisted_by_a_milter,
    origin_by_milters,
    signed_by_a_milter,
)
from integration.support.package_folders import make_folder
from integration.support.rspamd_stand_in import REFUSAL, SUBJECT, RspamdStandIn, spam
from lab.peers import mail
from lab.peers.clients import CONFIRMED_PTR, LYING_PTR, NO_PTR
from lab.peers.verify import signatures, verifies
from lab.peers.zones import GOOD_NAMES
from lab.root import inside
from lab.root.namespace import STRANGER
from lab.root.namespace import visit as present
from lab.root.plugin import LIBEXEC, TREE
from lab.shows import guide as guides
from lab.shows import inbound, manual, markdown, moves
from lab.shows.guide import PASSWORD, Guide
from lab.shows.markdown import DOCS
from lab.support import Lab, setups
from opensmtpd_cli.commands.genkey import text as genkey_text

Scene = Callable[[Machine], None]
DYNAMIC = "192.0.2.109"
IN_MARKDOWN = {
    "README.md": (TREE / "README.md", "Judge mail from outside"),
    "judge.md": (DOCS / "judge.md", "Judge who sent it"),
    "junk.md": (DOCS / "junk.md", "Junk by DNS"),
}
"""Pages that are no manual pages, and the heading under which their lines of smtpd.conf stand."""
COMMANDS: Mapping[str, Expected] = {
    "cd ": Expected(),
    "openssl gen": Expected(),
    "openssl rsa": Expected("MIIB"),
    "chown ": Expected(),
    "chmod ": Expected(),
    "mkdir ": Expected(),
    "umask ": Expected(),
    "smtpd -n": Expected("configuration OK"),
    "/usr/libexec/opensmtpd/": Expected("configuration OK"),
    # Milters and rspamd are there as long as a scene needs them.
    "/usr/libexec/opensmtpd/filter-milter ": Expected("; start the milter", status=1),
    "/usr/libexec/opensmtpd/filter-rspamd ": Expected("refused; start rspamd there", status=1),
    "patch ": Expected("patching file /etc/mail/smtpd.conf"),
    "opensmtpd-plugins lookup flat:/etc/mail/aliases alias sales": Expected("alice, bob"),
    "ldapadd ": Expected("adding new entry"),
    "opensmtpd-plugins lookup ldap:/etc/mail/ldap.conf alias sales": Expected("alice, bob"),
    "opensmtpd-plugins lookup mysql:/etc/mail/mysql.conf alias sales": Expected("alice, bob"),
    "opensmtpd-plugins lookup postgres:/etc/mail/postgres.conf alias sales": Expected("alice, bob"),
    "opensmtpd-plugins lookup redis:/etc/mail/redis.conf alias sales": Expected("alice, bob"),
    "valkey-cli ": Expected(),
    "opensmtpd-plugins lookup dovecot:/etc/mail/logins.conf userinfo alice": Expected(
        ":/home/alice"
    ),
    "opensmtpd-plugins lookup passwd:/etc/mail/passwd userinfo alice": Expected(":/home/alice"),
    "opensmtpd-plugins lookup socketmap:/etc/mail/socketmap.conf alias sales": Expected(
        "alice, bob"
    ),
    "opensmtpd-plugins lookup sqlite:/etc/mail/sqlite.conf alias sales": Expected("alice, bob"),
    "opensmtpd-plugins lookup --all aliases bob+x": Expected("2. bob: not found", status=1),
    "opensmtpd-plugins check /etc/mail/smtpd.conf": Expected(),
    "opensmtpd-plugins import ": Expected(),
    "opensmtpd-plugins alias add ": Expected(),
    "opensmtpd-plugins user add ": Expected(given=f"{PASSWORD}\n"),
    "opensmtpd-plugins domain add ": Expected(),
    "opensmtpd-plugins lookup domains mx.": Expected("found"),
    "opensmtpd-plugins export ": Expected(),
    "opensmtpd-plugins filter dkimsign ": Expected("data-line"),
    "opensmtpd-plugins filter --rdns '<unknown>' filter-rdns ": Expected("junk"),
    "opensmtpd-plugins authenticate --client 192.0.2.1": Expected("dkim\tpass"),
    "opensmtpd-plugins authenticate --judge": Expected("needs dkim; pip install", status=1),
    # cli/test_release releases a user where filter-limit runs.
    "opensmtpd-plugins release ": Expected("there is no such file", status=3),
    "opensmtpd-plugins install filter-rdns filter-dnsbl": Expected("filter-dnsbl"),
    "opensmtpd-plugins completion bash": Expected(),
    "opensmtpd-plugins genkey --domain example.com --selector 2026": Expected(
        "2026._domainkey.example.com"
    ),
    "opensmtpd-plugins genkey --domain example.org \\\n    --rotate ": Expected(
        "mail2._domainkey.example.org"
    ),
    'opensmtpd-plugins testkey "$(grep proc-exec.*dkimsign ': Expected(
        "mail._domainkey.example.com: equal to /etc/mail/dkim/private.key"
    ),
    "opensmtpd-plugins dns --conf ": Expected("example.com. IN MX 10 example.com."),
    "opensmtpd-plugins genkey ": Expected("._domainkey.example."),
    "opensmtpd-plugins install ": Expected(),
    "opensmtpd-plugins show /var/log/dkimsign/capture": Expected("|DKIM-Signature: "),
    "opensmtpd-plugins show /var/log/smtpd/aliases.capture": Expected("|lookup|alias|"),
    "opensmtpd-plugins replay ": Expected("equal: "),
    "install -d ": Expected(),
    "opensmtpd-plugins completion ": Expected(),
}
"""By how a command begins; of several the longest counts. What is made is used afterwards."""
COMMANDS_OF: Mapping[str, Mapping[str, Expected]] = {
    "filter-archive.8": {
        "find . ": Expected(),
        "while read ": Expected(),
    },
    "filter-headers.8": {"printf ": Expected("550 5.7.1 We buy nothing", status=1)},
    "filter-limit.8": {"opensmtpd-plugins release ": Expected("alice: released, ")},
    "filter-senderscore.8": {"echo | ": Expected("550 your IP reputation is too", status=1)},
}
"""The same for the commands of one page."""
OPERATOR = "opensmtpd-plugins.8"
INSTALLED = tuple(f"{LIBEXEC}/{name}" for name in ("filter-rdns", "filter-dnsbl"))
MESSAGE = b"From: Alice <alice@example.com>\nSubject: hello\n\nHello.\n"


def guest(machine: Machine, address: str, helo: str = "client.example.net", **more: str) -> Fate:
    """Have a stranger send Alice a mail."""
    return visit(machine.lab, address, 25, helo, **more)


def junked_by_name(machine: Machine) -> None:
    places = [guest(machine, each).place for each in (NO_PTR, LYING_PTR, CONFIRMED_PTR)]
    assert places == [".Junk", ".Junk", "inbox"]


def all_checks(machine: Machine) -> None:
    junked_by_name(machine)
    assert guest(machine, CONFIRMED_PTR, helo="example.com").place.startswith("550 ")
    marked = guest(machine, DYNAMIC)
    assert (marked.place, len(marked.fields(b"X-Spam-Reason: dynamic;"))) == ("inbox", 1)
    with present(STRANGER):
        assert guest(machine, STRANGER).place == "inbox"
    with mail.connect(NO_PTR) as client:
        client.starttls(context=mail.trusting(machine.lab.guide))
        client.login("alice", PASSWORD)
        message = mail.compose("alice@example.com", "alice@example.com", "spared")
        assert mail.send(client, "alice@example.com", "alice@example.com", message)[0] == 250
    assert machine.folder() == "inbox"


def enlist(machine: Machine, *listed: tuple[str, str, str]) -> None:
    """Put addresses or domains on lists."""
    machine.lab.dns.records = {**machine.records, **listings(*listed)}


def marked_if_listed(machine: Machine) -> None:
    enlist(
        machine,
        ("zen.spamhaus.org", CONFIRMED_PTR, "127.0.0.3"),
        ("zen.spamhaus.org", DYNAMIC, "127.0.0.3"),
        ("list.dnswl.org", DYNAMIC, "127.0.5.1"),
    )
    listed = guest(machine, CONFIRMED_PTR)
    assert (listed.place, listed.fields(b"X-Spam-DNSBL")) == (
        ".Junk",
        [b"X-Spam-DNSBL: Listed at zen.spamhaus.org"],
    )
    assert guest(machine, DYNAMIC).place == "inbox"


def lists_then_names(machine: Machine) -> None:
    marked_if_listed(machine)
    places = [guest(machine, each).place for each in (NO_PTR, LYING_PTR)]
    assert places == [".Junk", ".Junk"]


def lists_that_add_up(machine: Machine) -> None:
    enlist(
        machine,
        ("zen.spamhaus.org", CONFIRMED_PTR, "127.0.0.4"),
        ("zen.spamhaus.org", LYING_PTR, "127.0.0.10"),  # a code that does not count
        ("bl.spamcop.net", DYNAMIC, "127.0.0.2"),
        ("dbl.spamhaus.org", "spam.example.net", "127.0.1.2"),
    )
    refused = guest(machine, CONFIRMED_PTR)
    assert refused.place.endswith(f"{CONFIRMED_PTR} is blocked, see see zen.spamhaus.org")
    assert guest(machine, LYING_PTR).place == "inbox"
    assert guest(machine, DYNAMIC).place == ".Junk"
    assert guest(machine, LYING_PTR, sender="bob@spam.example.net").place == ".Junk"
    assert guest(machine, DYNAMIC, sender="bob@spam.example.net").place.startswith("550 ")


def signed(machine: Machine) -> None:
    message = machine.from_alice()
    assert (signatures(message), verifies(message)) == (1, True)


def signed_by_table(machine: Machine) -> None:
    count = {sender: signatures(machine.from_alice(f"alice@{sender}")) for sender in DOMAINS}
    assert count == {"example.com": 2, "example.org": 1, "example.net": 0}


DOMAINS = ("example.com", "example.org", "example.net")


def to_sales(machine: Machine, domain: str = "example.com") -> None:
    """Mail to an alias reaches both."""
    sender, sales = "carol@example.net", f"sales@{domain}"
    with mail.connect() as client:
        client.mail(sender)
        assert client.rcpt(f"noone@{domain}")[0] == 550
        client.rset()
        assert mail.send(client, sender, sales, mail.compose(sender, sales, "to both"))[0] == 250
    assert [machine.folder(user) for user in ("alice", "bob")] == ["inbox", "inbox"]


def wildcard(machine: Machine) -> None:
    to_sales(machine)
    to_sales(machine, "any.example.org")


def log_in(machine: Machine) -> None:
    with mail.submission(machine.lab.guide) as client:
        message = mail.compose("alice@example.com", "alice@example.com", "with a password")
        assert mail.send(client, "alice@example.com", "alice@example.com", message)[0] == 250
    assert machine.folder() == "inbox"


def log_in_by_dovecot(machine: Machine) -> None:
    """Dovecot's hash is none of crypt(3)'s; smtpd before 7.9 is not offered passwords."""
    client = mail.connect(port=587)
    client.starttls(context=mail.trusting(machine.lab.guide))
    client.ehlo()
    code = client.docmd("AUTH PLAIN", mail.plain("alice", PASSWORD))[0]
    client.close()
    assert code == 235 if machine.lab.smtpd == "7.9" else code >= 400


def to_a_user(machine: Machine) -> None:
    sender, alice = "carol@example.net", "alice@example.com"
    with mail.connect() as client:
        client.mail(sender)
        assert client.rcpt("bob@example.com")[0] == 550  # who is no user of Dovecot's
        client.rset()
        assert mail.send(client, sender, alice, mail.compose(sender, alice, "to her"))[0] == 250
    assert machine.folder() == "inbox"


def no_programs(machine: Machine) -> None:
    assert guest(machine, CONFIRMED_PTR).place == "inbox"
    front = 'MIME-Version: 1.0\r\n\r\nContent-Type: application/x; name="setup.exe"\r\n'
    assert guest(machine, CONFIRMED_PTR, front=front).place == "550 5.7.1 No programs, please"


def origin_then_names(machine: Machine) -> None:
    """Spoofed mail is refused, or filed as its domain asks; the rest is judged by names."""
    machine.lab.dns.records = {**machine.records, **inbound.new_signer().zone()}
    spoofed = guest(machine, inbound.FORWARDER, sender=f"bob@{inbound.STRICT}")
    assert "DMARC policy for bank.example" in spoofed.place
    assert guest(machine, inbound.FORWARDER, sender=f"bob@{inbound.MILD}").place == ".Junk"
    honest = guest(machine, CONFIRMED_PTR, sender=f"bob@{inbound.STRICT}")
    assert (honest.place, len(honest.fields(b"Authentication-Results"))) == ("inbox", 1)
    assert [guest(machine, each).place for each in (NO_PTR, LYING_PTR)] == [".Junk", ".Junk"]


def everything(machine: Machine) -> None:
    to_sales(machine, "mail.example.com")
    enlist(machine, ("zen.spamhaus.org", NO_PTR, "127.0.0.3"))
    listed = guest(machine, NO_PTR)
    assert (listed.place, len(listed.fields(b"X-Spam-DNSBL"))) == (".Junk", 1)
    assert guest(machine, LYING_PTR).place == ".Junk"
    with mail.submission(machine.lab.guide) as client:
        message = mail.compose("alice@example.com", "alice@example.com", "signed")
        assert mail.send(client, "alice@example.com", "alice@example.com", message)[0] == 250
    assert verifies(machine.lab.inbox.one().message)
    signed(machine)
    origin_then_names(machine)


def results_shown(machine: Machine) -> None:
    fate = guest(machine, CONFIRMED_PTR)
    assert (fate.place, len(fate.fields(b"Authentication-Results: "))) == ("inbox", 1)


def enforced(machine: Machine) -> None:
    machine.lab.dns.records = {
        **machine.lab.dns.records,
        ("_dmarc.example.net", "TXT"): ['"v=DMARC1; p=quarantine; rua=mailto:dmarc@example.net"'],
    }
    assert guest(machine, CONFIRMED_PTR).place == ".Junk"
    assert guest(machine, CONFIRMED_PTR, sender="alice@example.com").place == (
        "550 5.7.1 Message refused: authenticate to send mail from example.com"
    )
    kept = machine.view / "var/lib/opensmtpd-plugins/auth/reports.db"
    assert kept.stat().st_size > 0
    assert kept.parent.stat().st_mode & 0o777 == 0o700
    with present(STRANGER):
        assert guest(machine, STRANGER, sender="alice@example.com").place == "inbox"


def counted(machine: Machine) -> None:
    """A mail that comes is told of at the socket; the file is there, too."""
    assert guest(machine, CONFIRMED_PTR).place == "inbox"
    commit = ("opensmtpd_messages_total", "in", "commit")
    metrics_server.told(machine.view, lambda found: found[commit] == 1)
    assert commit in metrics_server.samples((machine.view / metrics_server.FILE[1:]).read_text())
    assert machine.lab.server.filters("filter-metrics")


def as_rspamd_says(machine: Machine) -> None:
    """It is asked at the port that is its own; without it, mail is put off."""
    assert guest(machine, CONFIRMED_PTR).place.startswith("451 4.7.1 ")
    with RspamdStandIn() as rspamd:
        passed = guest(machine, CONFIRMED_PTR, front="X-Spam: yes\r\n")
        assert (passed.place, passed.fields(b"X-Spam")) == ("inbox", [b"X-Spamd-Bar: ++"])
        assert rspamd.scanned[0].values(b"Ip") == [CONFIRMED_PTR.encode()]
        refused = guest(machine, CONFIRMED_PTR, front=spam("reject"))
        assert refused.place == f"550 {REFUSAL}"
        marked = guest(machine, CONFIRMED_PTR, front=spam("add header"))
        assert (marked.place, marked.fields(b"X-Spam:")) == (".Junk", [b"X-Spam: yes"])
        renamed = guest(machine, CONFIRMED_PTR, front=spam("rewrite subject"))
        assert renamed.fields(b"Subject") == [f"Subject: {SUBJECT}".encode()]


def by_settings_of_its_own(machine: Machine) -> None:
    """The second server is asked where the first is away; none, and mail passes unscanned."""
    unscanned = guest(machine, CONFIRMED_PTR)
    assert (unscanned.place, len(unscanned.fields(b"X-Rspamd-Unscanned:"))) == ("inbox", 1)
    with RspamdStandIn(11343) as second:
        assert guest(machine, CONFIRMED_PTR, front=spam("add header")).place == ".Junk"
        assert second.scanned[0].values(b"Settings-ID") == []
    with RspamdStandIn() as rspamd:
        log_in(machine)
        (asked,) = rspamd.scanned
        assert (asked.values(b"Settings-ID"), asked.values(b"User")) == ([b"outgoing"], [b"alice"])


SCENES: Mapping[str, tuple[Scene, ...]] = {
    "filter-archive.8": (
        archive_examples.journaled_for_ten_years,
        archive_examples.handed_on,
    ),
    "filter-auth.8": (results_shown, enforced),
    "README.md": (origin_then_names,),
    "judge.md": (origin_then_names,),
    "junk.md": (junked_by_name, lists_then_names),
    "filter-dkimsign.8": (signed, signed_by_table),
    "filter-dnsbl.8": (marked_if_listed, lists_that_add_up),
    "filter-greylist.8": (
        greylist_examples.friends_of_users_are_known,
        greylist_examples.known_to_all_servers,
        greylist_examples.as_postgrey_does,
    ),
    "filter-headers.8": (headers_examples.as_the_rules_say, headers_examples.private),
    "filter-limit.8": (
        limit_examples.account_is_stopped,
        limit_examples.application_waits,
        limit_examples.network_is_put_off,
    ),
    "filter-metrics.8": (counted,),
    "filter-milter.8": (signed_by_a_milter, origin_by_milters, greylisted_by_a_milter),
    "filter-rdns.8": (junked_by_name, all_checks),
    "filter-record.8": (signed,),
    "filter-rspamd.8": (as_rspamd_says, by_settings_of_its_own),
    "filter-senderscore.8": (
        senderscore_examples.judged_by_scores,
        senderscore_examples.told_to_rspamd,
    ),
    OPERATOR: (),
    "opensmtpd.3": (no_programs, to_sales),
    "smtpd-plugins.7": (everything, origin_then_names),
    "table-dovecot.5": (log_in_by_dovecot, to_a_user),
    "table-flat.5": (wildcard,),
    "table-ldap.5": (wildcard,),
    "table-mysql.5": (wildcard,),
    "table-passwd.5": (log_in,),
    "table-postgres.5": (wildcard,),
    "table-record.5": (to_sales,),
    "table-redis.5": (wildcard,),
    "table-socketmap.5": (to_sales, to_sales),
    "table-sqlite.5": (wildcard,),
}
"""For each configuration that a page shows, in order, what is to be seen of it."""


SERVERS: Mapping[str, tuple[str, Callable[[Any, Machine], None]]] = {
    "filter-greylist.8": ("valkey", greylist_examples.get_valkey_ready),
    "filter-limit.8": ("valkey", limit_examples.get_valkey_ready),
    "table-dovecot.5": ("dovecot_auth", manual_servers.dovecot),
    "table-ldap.5": ("slapd", ldap_directory.example),
    "table-mysql.5": ("mariadb", mysql_example.example),
    "table-postgres.5": ("postgres", postgres_example.example),
    "table-redis.5": ("valkey", valkey_example.ready),
    "table-socketmap.5": ("socketmap", manual_servers.maps),
}
"""For pages about a server: its fixture, and a function that gets it ready."""


def examples(page: str) -> list[manual.Display]:
    """Return what a page shows."""
    if page in IN_MARKDOWN:
        path, heading = IN_MARKDOWN[page]
        return [
            manual.Display("conf", "", block.text)
            for block in markdown.blocks(path)
            if (block.heading, block.kind) == (heading, "conf")
        ]
    return manual.displays(manual.sections((manual.PAGES / page).read_text())["EXAMPLES"])


def prepare(guide: Guide) -> None:
    inside.done(guide.view, "useradd", "--create-home", "bob")
    inside.done(guide.view, "useradd", "--system", "--user-group", "_auth")
    for name in ("archive", "greylist", "limit"):
        make_folder(guide.view, name)
    metrics_server.make_folders(guide.view)
    inside.done(guide.view, "mkdir", "-p", "/var/lib/opensmtpd-plugins", "/etc/rspamd/local.d")
    folders = ("clamav", "cron.d", "milter-greylist", "postgrey")
    inside.done(guide.view, "mkdir", "-p", *(f"/etc/{name}" for name in folders))
    for name in ("filter.d", "jail.d"):
        inside.done(guide.view, "mkdir", "-p", f"/etc/fail2ban/{name}")
    inside.done(guide.view, "groupadd", "--system", "--force", "opendkim")
    folder = "/var/lib/opensmtpd-plugins/auth"
    inside.done(guide.view, "install", "-d", "-o", "_auth", "-g", "_auth", "-m", "0700", folder)
    inside.done(guide.view, "ln", "-sf", moves.CONF, "/etc/smtpd.conf")
    inside.done(guide.view, "sh", "-c", "dpkg --install /var/cache/apt/archives/patch_*.deb")


SETUPS = setups("examples", prepare)


@pytest.mark.parametrize("running", SETUPS, indirect=True, ids=str)
@pytest.mark.parametrize("page", [page for page in SCENES if page != OPERATOR])
def test_the_examples_do_what_they_are_for(
    running: Lab, page: str, request: pytest.FixtureRequest
) -> None:
    machine = Machine(running, {**COMMANDS, **COMMANDS_OF.get(page, {})})
    if page in SERVERS:
        fixture, get_ready = SERVERS[page]
        get_ready(request.getfixturevalue(fixture), machine)
    shown = examples(page)
    scenes = iter(SCENES[page])
    for display in shown:
        if display.kind in ("file", "sql", "python"):
            machine.put(display)
    for display in shown:
        if display.kind == "commands":
            for command in display.commands:
                machine.follow(command)
        elif display.kind == "record":
            machine.put(display)
        elif display.kind == "conf":
            whole = display.place == moves.CONF
            machine.serve(display.text if whole else surrounded(display.text))
            next(scenes)(machine)
            assert running.inbox.rest() == []
    assert next(scenes, None) is None


@pytest.mark.parametrize("running", SETUPS[:1], indirect=True, ids=str)
def test_the_operators_commands_do_what_they_are_for(running: Lab) -> None:
    machine = Machine(running, COMMANDS)
    limit_examples.begin_anew(machine)
    running.dns.records = {**machine.records, **GOOD_NAMES}
    for name, text in {**guides.FILES, moves.CONF[1:]: guides.CONF.read_text()}.items():
        (machine.view / name).write_text(text)
    (machine.view / "root/message.eml").write_bytes(MESSAGE)
    for name in INSTALLED:
        (machine.view / name).unlink()
    for display in examples(OPERATOR):
        for command in display.commands:
            machine.follow(command)
    added = next(said for command, said in machine.said.items() if " user add " in command)
    moves.authenticate_with(running.guide, added)
    running.server.conf = moves.CONF
    running.server.restart()
    assert len(running.server.tables()) == len(moves.TABLES) + 1
    # The system knows no password of his.
    assert mail.submission(running.guide, "bob").quit()[0] == 221
    with mail.connect() as client:
        message = mail.compose("carol@example.net", "alice@mx.example.org", "to a wildcard")
        assert mail.send(client, "carol@example.net", "alice@mx.example.org", message)[0] == 250
    assert machine.folder() == "inbox"
    assert (machine.view / "root/tables.diff").stat().st_mode & 0o777 == 0o600
    assert "bob: bob@example.org" in (machine.view / "root/tables/aliases").read_text().split("\n")
    assert verifies((machine.view / "root/signed.eml").read_bytes())
    assert all((machine.view / name).is_symlink() for name in INSTALLED)
    assert "opensmtpd-plugins" in machine.run("bash -c '. /root/.bashrc; complete -p'")


def test_what_is_shown_among_the_text_is_run_elsewhere() -> None:
    shown = [
        line
        for page in manual.pages()
        for line in (manual.PAGES / page).read_text().splitlines()
        if line.startswith((".Dl # ", ".Dl $ "))
    ]
    # Of filter-dkimsign(8) by dkimsign/test_workers, of opensmtpd-plugins(8) by cli/test_genkey.
    assert shown == [f".Dl # {genkey_text.RELOAD}"] * 2


def test_all_pages_are_looked_at() -> None:
    assert set(SCENES) == {*IN_MARKDOWN, *manual.pages()}
