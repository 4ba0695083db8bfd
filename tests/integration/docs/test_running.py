"""What docs/running.md says of smtpd's end, and its recipe for a container, command by command."""

import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from lab.peers.maildir import Maildir
from lab.peers.nameserver import NameServer
from lab.peers.verify import signatures
from lab.root import inside, namespace
from lab.root.root import TABLES as IN_C
from lab.root.server import Server
from lab.shows import markdown
from lab.shows.guide import lay_out
from lab.shows.markdown import DOCS
from lab.support import ALONE, need_stage

pytestmark = ALONE
PAGE = DOCS / "running.md"
CONF = "/etc/mail/smtpd.conf"
MESSAGE = b"From: alice@example.com\nTo: alice@example.com\nSubject: hello\n\nHello.\n"


@pytest.mark.parametrize("smtpd", ["7.6", "7.9"])
@pytest.mark.parametrize("option", ["-F", "-d"])
def test_smtpd_ends_with_0_when_a_filter_ends(smtpd: str, option: str) -> None:
    view = need_stage(smtpd).guide(f"running-{smtpd}{option}").view
    command = (inside.CHROOT, view, "/usr/sbin/smtpd", option, "-f", CONF)
    key = view / "etc/mail/dkim/private.key"
    away = key.rename(key.with_name("elsewhere"))
    unable = subprocess.run(command, env={}, capture_output=True, timeout=60, check=False)
    assert unable.returncode == 0
    away.rename(key)

    server = Server(view)
    with subprocess.Popen(command, env={}, stderr=subprocess.DEVNULL) as process:
        end = time.monotonic() + 30
        while not server.filters():
            assert process.poll() is None
            assert time.monotonic() < end
            time.sleep(0.05)
        os.kill(server.filters()[0], signal.SIGKILL)
        assert process.wait(30) == 0

    (view / CONF[1:]).write_text("no directive\n")
    unreadable = subprocess.run(command, env={}, capture_output=True, timeout=60, check=False)
    assert unreadable.returncode == 1


def dockerfile() -> str:
    """Return the Dockerfile of the page, each instruction in a line."""
    (found,) = [block for block in markdown.blocks(PAGE) if block.kind == "dockerfile"]
    return found.text.replace("\\\n", "")


def test_the_container_has_a_server_that_signs(debs: Path) -> None:
    text = dockerfile()
    assert text.startswith("FROM debian:trixie")
    view = namespace.view(need_stage("7.6").root, "container")
    inside.done(view, "dpkg", "--purge", *C_PLUGINS)
    for command in re.findall(r"(?m)^(COPY|RUN) (.*)$", text):
        match command:
            case "COPY", "dist/*.deb /debs/":
                shutil.copytree(debs, view / "debs")
            case "RUN", line:
                inside.done(view, "sh", "-ec", line)
            case _:
                raise AssertionError(command)
    (view / "etc/mail/dkim").rmdir()  # the guide makes its own
    guide = lay_out(view)
    (view / "etc/smtpd.conf").unlink()
    (view / "etc/mail/smtpd.conf").rename(view / "etc/smtpd.conf")
    (command,) = re.findall(r'(?m)^CMD \["smtpd", "(-\w+)"\]$', text)
    records = {("mail._domainkey.example.com", "TXT"): [guide.dkim_record]}
    with NameServer(records), Server(view, "/etc/smtpd.conf") as server:
        assert command == "-d"  # as Server starts it
        inside.done(view, "sh", "-c", "runuser -u alice -- sendmail alice@example.com",
                    given=MESSAGE.decode())  # fmt: skip
        assert signatures(Maildir(guide.home("alice") / "Maildir").one().message) == 1
        assert server.filters()


C_PLUGINS = (
    *("opensmtpd-filter-dkimsign", "opensmtpd-filter-senderscore"),
    *("opensmtpd-table-passwd", "opensmtpd-table-sqlite", *IN_C),
)
"""What the root has, and debian:trixie has not."""


def test_the_drop_in_has_smtpd_start_again_whatever_it_ends_with() -> None:
    (unit,) = [block for block in markdown.blocks(PAGE) if block.kind == "ini"]
    assert unit.place == "/etc/systemd/system/opensmtpd.service.d/restart.conf"
    assert unit.text.splitlines() == ["[Service]", "Restart=always", "RestartSec=5"]
