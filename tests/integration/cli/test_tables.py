"""What an administrator does while smtpd runs on SQLite tables: it counts at once."""

import smtplib

import pytest

from integration.support.table_scenes import ALICE
from lab.peers import mail
from lab.peers.maildir import Maildir
from lab.peers.table_client import TableClient
from lab.root.inside import CHROOT
from lab.root.plugin import LIBEXEC
from lab.shows import moves
from lab.shows.guide import CONF, PASSWORD
from lab.support import Lab, setups

SETUPS = setups("credentials", moves.to_credentials)
pytestmark = pytest.mark.parametrize("running", SETUPS, indirect=True, ids=str)


def run(lab: Lab, *arguments: str, given: str = "") -> str:
    """Run ``opensmtpd-plugins`` on the server's database: two words, then the rest."""
    return moves.operator(lab.guide, *arguments[:2], moves.DATABASE, *arguments[2:], given=given)


def log_in(lab: Lab, user: str, password: str) -> bool:
    client = mail.connect(port=587)
    client.starttls(context=mail.trusting(lab.guide))
    try:
        client.login(user, password)
    except smtplib.SMTPAuthenticationError as error:
        return error.smtp_code != 535
    finally:
        client.quit()
    return True


def recipient(lab: Lab, address: str) -> int:
    """Return the code of the reply to RCPT, for somebody who has logged in."""
    with mail.submission(lab.guide) as client:
        client.mail(ALICE)
        return client.rcpt(address)[0]


def test_one_command_and_five_edited_lines(lab: Lab) -> None:
    """The server runs on what ``import`` wrote; here it moves the same files once more."""
    assert len(lab.server.tables()) == len(moves.TABLES) + 1
    mail_folder = lab.guide.view / "etc/mail"
    (mail_folder / "old.conf").write_bytes(CONF.read_bytes())
    (mail_folder / "again").mkdir()
    edits = moves.operator(lab.guide, "import", "/etc/mail/old.conf", "/etc/mail/again/db")
    changed = [line for line in edits.splitlines() if line[:2] in ("-t", "+t", "- ", "+ ")]
    assert changed == [
        *(f"-table {name} file:/etc/mail/{name}" for name in moves.TABLES),
        *(f"+table {name} sqlite:/etc/mail/again/{name}.conf" for name in moves.TABLES),
    ]
    assert (mail_folder / "old.conf").read_bytes() == CONF.read_bytes()


def test_a_new_user_logs_in(lab: Lab) -> None:
    assert not log_in(lab, "carol", "Mixed Case 1")
    run(lab, "user", "add", "carol", given="Mixed Case 1\n")
    assert log_in(lab, "carol", "Mixed Case 1")
    assert log_in(lab, "Carol", "Mixed Case 1")
    assert not log_in(lab, "carol", "mixed case 1")
    assert not log_in(lab, "carol", "")
    run(lab, "user", "passwd", "carol", given="another\n")
    assert not log_in(lab, "carol", "Mixed Case 1")
    assert log_in(lab, "carol", "another")
    run(lab, "user", "remove", "carol")
    assert not log_in(lab, "carol", "another")
    assert log_in(lab, "alice", PASSWORD)


def test_users_of_the_system_alone_do_not_log_in(lab: Lab) -> None:
    assert not log_in(lab, "username", PASSWORD)


def test_no_password_stands_in_the_log(lab: Lab) -> None:
    log_in(lab, "alice", PASSWORD)
    log_in(lab, "alice", "a wrong password")
    run(lab, "user", "add", "dave", given="daves password\n")
    log_in(lab, "dave", "daves password")
    run(lab, "user", "remove", "dave")
    for secret in (PASSWORD, "a wrong password", "daves password", "$6$", "$y$", "$2b$"):
        assert secret not in lab.log


def test_a_new_alias(lab: Lab) -> None:
    assert recipient(lab, "sales@example.com") == 550
    run(lab, "alias", "add", "sales", "alice", "username")
    with mail.submission(lab.guide) as client:
        message = mail.compose(ALICE, "sales@example.com", "a new alias")
        assert mail.send(client, ALICE, "sales@example.com", message)[0] == 250
    assert lab.inbox.one().folder == "inbox"
    assert Maildir(lab.guide.home("username") / "Maildir").one().folder == "inbox"
    run(lab, "alias", "remove", "sales")
    assert recipient(lab, "sales@example.com") == 550


def test_new_domains(lab: Lab) -> None:
    for domain, address in (
        ("example.edu", "alice@example.edu"),
        ("*.wild.example", "alice@any.wild.example"),
    ):
        assert recipient(lab, "nobody@" + address.partition("@")[2]) == 250  # it would be relayed
        run(lab, "domain", "add", domain)
        assert recipient(lab, "noone@" + address.partition("@")[2]) == 550
        with mail.submission(lab.guide) as client:
            message = mail.compose(ALICE, address, domain)
            assert mail.send(client, ALICE, address, message)[0] == 250
        assert lab.inbox.one().folder == "inbox"
        run(lab, "domain", "remove", domain)


def test_smtpctl_update_table(lab: Lab) -> None:
    conf = lab.guide.view / "etc/mail/aliases.conf"
    good = conf.read_text()
    for name in (*moves.TABLES, "credentials"):
        assert moves.smtpctl(lab.guide, "update", "table", name) == "command succeeded"
    try:
        conf.write_text(good.replace("SELECT value", "SELECT 'username'"))
        assert moves.smtpctl(lab.guide, "update", "table", "aliases") == "command succeeded"
        message = mail.compose(ALICE, ALICE, "to another one")
        with mail.submission(lab.guide) as client:
            assert mail.send(client, ALICE, ALICE, message)[0] == 250
        assert Maildir(lab.guide.home("username") / "Maildir").one().folder == "inbox"
        conf.write_text(good.replace("SELECT value", "SELECT nonsense"))
        assert moves.smtpctl(lab.guide, "update", "table", "aliases") == "command failed"
        assert "warn: table-proc: aliases update failed: /etc/mail/aliases.conf:3: " in lab.log
        with mail.submission(lab.guide) as client:  # the old ones go on
            assert mail.send(client, ALICE, ALICE, message)[0] == 250
        assert Maildir(lab.guide.home("username") / "Maildir").one().folder == "inbox"
    finally:
        conf.write_text(good)
        moves.smtpctl(lab.guide, "update", "table", "aliases")
    with mail.submission(lab.guide) as client:
        assert mail.send(client, ALICE, ALICE, message)[0] == 250
    assert lab.inbox.one().folder == "inbox"


def test_lookup_asks_the_same_tables(lab: Lab) -> None:
    ask = ("sqlite:/etc/mail/aliases.conf", "alias", "root")
    assert moves.operator(lab.guide, "lookup", *ask) == "username\n"
    ask = ("sqlite:/etc/mail/domains.conf", "domain", "mail.example.com")
    assert moves.operator(lab.guide, "lookup", "--check", *ask) == "found\n"
    assert "> check-result|" in moves.operator(lab.guide, "lookup", "-v", "--check", *ask)


def test_lookup_takes_names_of_smtpd_conf(lab: Lab) -> None:
    named = ("lookup", "--conf", moves.CONF)
    assert moves.operator(lab.guide, *named, "aliases", "root") == "username\n"
    assert moves.operator(lab.guide, *named, "domains", "mail.example.com") == "found\n"


@pytest.mark.parametrize("parameter", ["?", "?1", ":key", "@key", "$key"])
def test_parameters_on_the_servers_python(lab: Lab, parameter: str) -> None:
    """Debian's versions have different Pythons, and from 3.14 on names are no numbers."""
    sql = f"SELECT value FROM aliases WHERE key = {parameter}"
    conf = f"dbpath {moves.DATABASE}\nquery_alias {sql}\n"
    (lab.guide.view / "tmp/parameters.conf").write_text(conf)
    program = [CHROOT, str(lab.guide.view), f"/{LIBEXEC}/table-sqlite"]
    with TableClient(program, "/tmp/parameters.conf") as table:
        assert table.lookup("alias", b"root") == b"found|username"
        assert table.lookup("alias", b"nobody") == b"not-found"


def test_export_gives_the_files_again(lab: Lab) -> None:
    (lab.guide.view / "tmp/exported").mkdir()
    moves.operator(lab.guide, "export", moves.DATABASE, "/tmp/exported")
    for name in moves.TABLES:
        exported = (lab.guide.view / "tmp/exported" / name).read_text()
        original = (lab.guide.view / "etc/mail" / name).read_text()
        assert rows(exported) == rows(original), name


def rows(text: str) -> list[list[str]]:
    lines = (line for line in text.splitlines() if line and not line.startswith("#"))
    return sorted(line.replace(":\t", ": ").split(None, 1) for line in lines)
