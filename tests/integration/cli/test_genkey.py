"""``genkey`` beside a running smtpd: what it prints goes into smtpd.conf and the DNS as it is."""

import os
import re
import signal
import time
from contextlib import suppress
from pathlib import Path

import dkim
import pytest

from integration.support.checks import ALICE
from lab.peers import mail
from lab.peers.nameserver import of_zone, txt
from lab.peers.verify import signatures
from lab.root import inside
from lab.shows import moves
from lab.shows.guide import CONF, Guide
from lab.support import Lab, setups
from opensmtpd_cli.commands.genkey.text import RELOAD
from unit.support import dkim_material  # noqa: F401  it teaches dkimpy Ed25519

DIRECTORY = "/etc/mail/dkim"
TABLE = f"{DIRECTORY}/keytable"
SAID = "root/said"
"""What the first run printed, in the view."""
SELECTOR = re.compile(rb"^DKIM-Signature: v=1; a=\S+; c=\S+; s=([^;]+);", re.MULTILINE)
LINE = re.compile(r'^filter "dkimsign" .*$', re.MULTILINE)
RECORD = re.compile(r"^\S+ IN TXT \([^()]*\)$", re.MULTILINE)


def genkey(guide: Guide, *arguments: str) -> str:
    return moves.operator(guide, "--quiet", "genkey", "--domain", "example.com", *arguments)


def prepare(guide: Guide) -> None:
    """Make the first key where there is no directory yet; put the printed line in its place."""
    inside.done(guide.view, "rm", "-r", DIRECTORY)
    said = genkey(guide, "--selector", "s09")
    (guide.view / SAID).write_text(said)
    [line] = LINE.findall(said)
    configure(guide, line)


def configure(guide: Guide, line: str) -> None:
    """Have the guide's configuration sign with this line."""
    text, count = LINE.subn(lambda _: line, CONF.read_text())
    assert count == 1
    (guide.view / moves.CONF[1:]).write_text(text)
    moves.check(guide)


pytestmark = pytest.mark.parametrize("running", setups("genkey", prepare), indirect=True, ids=str)


def publish(lab: Lab, said: str) -> list[str]:
    """Give the printed records to the name server; returns their names."""
    new = of_zone("\n".join(RECORD.findall(said)))
    lab.dns.records = {**lab.dns.records, **new}
    return [name for name, _ in new]


def sent(lab: Lab, subject: str) -> dict[bytes, bool]:
    """Send Alice a mail; return each selector that it is signed with, and whether that holds."""
    with mail.submission(lab.guide) as client:
        assert mail.send(client, ALICE, ALICE, mail.compose(ALICE, ALICE, subject))[0] == 250
    message = lab.inbox.one().message
    judge = dkim.DKIM(message.replace(b"\n", b"\r\n"))
    selectors = SELECTOR.findall(message)
    assert len(selectors) == signatures(message)
    return {name: holds(judge, index) for index, name in enumerate(selectors)}


def holds(judge: dkim.DKIM, index: int) -> bool:
    try:
        return bool(judge.verify(index, dnsfunc=txt))
    except dkim.ValidationError:
        return False


def hang_up(lab: Lab) -> None:
    """Do what the printed command does, and wait until the filter has read its table again.

    The roots have no pkill: it finds who has this user and these words in his command line.
    """
    words = re.fullmatch(r"pkill -HUP -u (_dkimsign) -f (filter-dkimsign)", RELOAD)
    assert words
    before = lab.log.count(" reloaded")
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(FileNotFoundError):  # it has ended
            ours = process.stat().st_uid == numbers(lab, "passwd")[0]
            if ours and words[2].encode() in (process / "cmdline").read_bytes():
                os.kill(int(process.name), signal.SIGHUP)
    end = time.monotonic() + 30
    while lab.log.count(" reloaded") == before:
        assert time.monotonic() < end, lab.server.tail()
        time.sleep(0.02)


def numbers(lab: Lab, file: str) -> list[int]:
    """Return the numbers that the filter's user has in passwd, or in group."""
    [line] = re.findall("^_dkimsign:.*", (lab.guide.view / "etc" / file).read_text(), re.MULTILINE)
    return [int(word) for word in line.split(":") if word.isdigit()]


def owner(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_uid, found.st_gid, found.st_mode & 0o7777


def test_the_printed_line_signs_and_the_printed_record_verifies(lab: Lab) -> None:
    said = (lab.guide.view / SAID).read_text()
    assert sent(lab, "unpublished") == {b"s09": False}
    assert publish(lab, said) == ["s09._domainkey.example.com"]
    assert sent(lab, "published") == {b"s09": True}


def test_whose_the_files_are(lab: Lab) -> None:
    folder = lab.guide.view / DIRECTORY[1:]
    [group] = numbers(lab, "group")
    assert owner(folder) == (0, group, 0o750)
    assert owner(folder / "example.com.s09.key") == (0, group, 0o640)


def test_from_one_key_to_the_next(running: Lab) -> None:
    guide, dns, server = running.guide, running.dns, running.server
    publish(running, (guide.view / SAID).read_text())
    table = guide.view / TABLE[1:]
    first, second = (f"example.com {name} example.com.{name}.key\n" for name in ("s09", "s10"))
    table.write_text(first)
    configure(
        guide,
        f'filter "dkimsign" proc-exec "filter-dkimsign -f {TABLE}" user _dkimsign group _dkimsign',
    )
    server.restart()

    said = genkey(guide, "--rotate", TABLE)
    assert table.read_text() == first + second
    assert sent(running, "in the table, and not read yet") == {b"s09": True}
    assert publish(running, said) == ["s10._domainkey.example.com"]
    hang_up(running)
    assert sent(running, "both") == {b"s09": True, b"s10": True}

    table.write_text(second)
    hang_up(running)
    assert sent(running, "the new one alone") == {b"s10": True}
    gone = ("s09._domainkey.example.com", "TXT")
    dns.records = {key: value for key, value in dns.records.items() if key != gone}
    assert sent(running, "the old one is not published any more") == {b"s10": True}

    said = genkey(guide, "--rotate", TABLE, "--algorithm", "ed25519", "--selector", "ed")
    publish(running, said)
    server.restart()
    assert sent(running, "side by side, after a restart") == {b"s10": True, b"ed": True}


@pytest.mark.parametrize(
    ("above", "reason"),
    [(1, "lost processor: dkimsign terminated; signal 1"), (2, "unexpected signal")],
)
def test_smtpd_ends_at_the_signal_that_is_for_the_filter(
    running: Lab, above: int, reason: str
) -> None:
    """Be it sent to smtpd, or to its process that waits for the filter, as the filter's user."""
    server = running.server
    [process] = server.filters()
    for _ in range(above):
        process = int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(process, signal.SIGHUP)
    end = time.monotonic() + 30
    while server.alive():
        assert time.monotonic() < end, server.tail()
        time.sleep(0.02)
    assert reason in server.tail()
    server.restart()
