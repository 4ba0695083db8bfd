"""examples/README.md in its own words: a try, and each way to install an example on one server.

OpenBSD's is not among them. The library is there for Debian's Python and in pipx, and the README
itself makes the venv.
"""

import re
import shutil
import smtplib
from pathlib import Path

import pytest

from integration.support.dns_scenes import FIRST_PORT, knock
from integration.support.examples import EXAMPLES, put_files
from lab.peers import mail
from lab.peers.clients import CONFIRMED_PTR
from lab.peers.maildir import Maildir
from lab.peers.nameserver import NameServer
from lab.root import inside, namespace, plugin
from lab.root.debs import install
from lab.root.plugin import LIBEXEC, TREE
from lab.root.server import Server
from lab.shows import markdown, moves
from lab.shows.demo import STRANGER
from lab.shows.guide import Guide, lay_out, records
from lab.support import ALONE, need_stage

pytestmark = ALONE

BLOCKS = markdown.blocks(EXAMPLES / "README.md")
CLONE = "/root/opensmtpd-plugins"
OFFLINE = {**plugin.OFFLINE, "PIP_NO_COMPILE": "1"}


@pytest.fixture
def guide(debs: Path) -> Guide:
    """The guide's server, with the library in two ways, and a clone of our tree."""
    stage = need_stage("7.6")
    view = namespace.view(stage.root, "examples-installed")
    install(view, debs, "python3-opensmtpd")
    shutil.copytree(stage.wheels, view / plugin.WHEELS)
    inside.done(view, "apt-get", "install", "--yes", "--no-install-recommends", "pipx")
    inside.done(view, "pipx", "install", "--global", "opensmtpd-plugins[operator]", extra=OFFLINE)
    left = shutil.ignore_patterns(".*", "dist", "__pycache__")
    shutil.copytree(TREE, view / CLONE[1:], ignore=left)
    return lay_out(view)


def follow(guide: Guide) -> tuple[list[str], list[str]]:
    """Type all commands; return the lines for smtpd.conf, and what was printed for a try."""
    tries = []
    for block in BLOCKS:
        if block.kind == "sh":
            script = f"cd {CLONE}/examples\n{block.text}"
            printed = inside.done(guide.view, "sh", "-ec", script, extra=OFFLINE)
            if block.heading == "Try one":
                tries.append(printed)
    put_files(guide.view, "sales,alice\n")
    conf = [line for block in BLOCKS if block.kind == "conf" for line in block.text.splitlines()]
    return conf, tries


def configure(guide: Guide, lines: list[str]) -> None:
    """Have the guide's server use these filters, on a port of their own, and these tables."""
    conf = guide.view / moves.CONF[1:]
    text = conf.read_text()
    for line in lines:
        if line.startswith("table "):
            text, count = re.subn(f"(?m)^table {line.split()[1]} .*$", line, text)
            assert count == 1
    filters = [line for line in lines if line.startswith("filter ")]
    names = " ".join(line.split()[1] for line in filters)
    listener = f"listen on $ipv4 port {FIRST_PORT} filter {{ {names} }}\n"
    conf.write_text(text.replace("# rules", "\n".join([*filters, listener, "# rules"])))
    moves.check(guide)


def test_each_way_is_one(guide: Guide) -> None:
    lines, (filtered, looked_up) = follow(guide)
    assert filtered == "Subject: [outside] hi\n\nhello\n"
    assert "/opt/try/table-csv /opt/try/aliases.csv" in looked_up
    assert "found: alice, bob\n" in looked_up
    assert [line.split()[0] for line in lines].count("table") == 2
    configure(guide, lines)
    message = b"X-Mailer: none of yours\r\n" + mail.compose(STRANGER, "sales@example.com", "hi")
    with NameServer(records(guide)), Server(guide.view) as server:
        with pytest.raises(smtplib.SMTPHeloError, match="That is my name"):
            knock(CONFIRMED_PTR, FIRST_PORT, "mail.example.com")
        with knock(CONFIRMED_PTR, FIRST_PORT) as client:
            assert mail.send(client, STRANGER, "sales@example.com", message)[0] == 250
        delivered = Maildir(guide.home("alice") / "Maildir").one()
        server.check()
    assert delivered.message.startswith(b"X-Client-TLS: none\nReceived: ")
    assert b"X-Mailer" not in delivered.message
    assert " message msgid=" in server.log.read_text()
    assert server.survivors == []


def test_the_readme_says_where_plugins_stand() -> None:
    text = (EXAMPLES / "README.md").read_text()
    assert f"`/{LIBEXEC}` on Debian and `/usr/local/libexec/smtpd` on\nOpenBSD" in text
