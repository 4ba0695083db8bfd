"""docs/servers.md, command by command: the guide's server moves to PostgreSQL."""

from lab.peers import mail
from lab.peers.databases.postgres import PostgresServer
from lab.peers.maildir import Maildir
from lab.peers.nameserver import NameServer
from lab.root import inside
from lab.root.server import Server
from lab.shows import markdown
from lab.shows.guide import records
from lab.shows.markdown import DOCS
from lab.support import ALONE, need_stage

pytestmark = ALONE
PAGE = DOCS / "servers.md"
MOVE = "Move your tables to PostgreSQL"
CONF = "/etc/smtpd.conf"
CHECK = "opensmtpd-plugins check && systemctl restart opensmtpd\n"
MESSAGE = b"From: alice@example.com\nTo: sales@example.com\nSubject: hello\n\nHello.\n"


def test_each_command_is_on_the_way() -> None:
    assert {block.heading for block in markdown.blocks(PAGE)} == {MOVE}


def test_the_guides_tables_move_to_postgresql(postgres: PostgresServer) -> None:
    guide = need_stage("7.6").guide("servers")
    (guide.view / "etc/mail/smtpd.conf").rename(guide.view / CONF[1:])
    inside.done(guide.view, "apt-get", "install", "--yes", "--no-install-recommends", "patch")
    postgres.share(guide.view)
    begin, move, edit = [block.text for block in markdown.blocks(PAGE)]
    assert move.endswith(CHECK)  # the DNS of the guide is not all that check wants
    inside.done(guide.view, "sh", "-ec", begin)
    inside.done(guide.view, "sh", "-ec", move.removesuffix(CHECK))
    lines = (guide.view / CONF[1:]).read_text().splitlines()
    assert [line for line in lines if line.startswith("table ")] == [
        f"table {name} postgres:/etc/mail/{name}.conf"
        for name in ("domains", "aliases", "hosts", "relayaddr", "users")
    ]
    with NameServer(records(guide)), Server(guide.view, CONF) as server:
        said = inside.done(guide.view, "sh", "-ec", edit)
        assert said.splitlines()[-1] == "alice"
        mail.sendmail(guide.view, "alice", "sales@example.com", MESSAGE)
        delivered = Maildir(guide.home("alice") / "Maildir").one(30)
        assert delivered.message.endswith(b"Hello.\n")
        assert len(server.tables()) == 5
