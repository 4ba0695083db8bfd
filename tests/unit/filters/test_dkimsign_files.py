"""filter-dkimsign as a process: what stands in the place of its files, at its start and later."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from unit.support.child import PATIENCE, Child
from unit.support.dkim_material import ED25519_PEM
from unit.support.dkimsign_flags import ed, table
from unit.support.talk import data

MAIN = "from opensmtpd_filters.dkimsign import main\nmain()\n"
MESSAGE = [b"From: Ann <ann@example.com>", b"Subject: hello", b"", b"text", b"."]

KEY, TABLE, DOMAINS = "ed.key", "table", "domains"


def flags(folder: Path, name: str) -> list[str]:
    """Return flags with which the file ``name`` is read; it is made as it should be."""
    (folder / KEY).write_text(ED25519_PEM)
    (folder / KEY).chmod(0o600)
    if name == TABLE:
        return table(folder, "example.com ed ed.key\n")
    if name == DOMAINS:
        (folder / DOMAINS).write_text("example.org\n")
        return ed(folder, "-D", str(folder / DOMAINS))
    return ed(folder)


def said_at_start(*arguments: str) -> str:
    """Return the one line of a process that ends at once, with status 1."""
    done = subprocess.run(
        [sys.executable, "-m", "opensmtpd_filters.dkimsign", *arguments],
        stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    line, rest = done.stderr.split("\n", 1)
    assert rest == ""
    return line.removeprefix("filter-dkimsign: ")


def fifo(path: Path) -> None:
    """Put a FIFO in the place of a file."""
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize("check", [["-n"], []], ids=["-n", "start"])
@pytest.mark.parametrize("name", [KEY, TABLE, DOMAINS])
def test_a_fifo_is_an_error_at_once(folder: Path, name: str, check: list[str]) -> None:
    arguments = flags(folder, name)
    fifo(folder / name)
    assert said_at_start(*check, *arguments) == (
        f"{folder}/{name}: a FIFO, not a regular file; name a regular file"
    )


def test_a_fifo_that_a_key_table_names(folder: Path) -> None:
    arguments = flags(folder, TABLE)
    fifo(folder / KEY)
    assert said_at_start("-n", *arguments) == (
        f"{folder}/table:1: {folder}/ed.key: a FIFO, not a regular file; name a regular file"
    )


def signs(child: Child) -> None:
    """Have a message signed."""
    child.send(data(*MESSAGE))
    assert b"|DKIM-Signature: v=1; a=ed25519-sha256; " in child.until(b"|.\n")


@pytest.mark.parametrize("name", [KEY, TABLE, DOMAINS])
def test_a_fifo_at_a_reload_leaves_the_old_keys(folder: Path, name: str) -> None:
    with Child(folder, "", *flags(folder, name), main=MAIN) as child:
        child.hello()
        fifo(folder / name)
        child.hang_up()
        assert child.log() == (
            f'reload-failed reason="{folder}/{name}: a FIFO, not a regular file;'
            ' name a regular file" kept="the old configuration"'
        )
        signs(child)
        (folder / name).unlink()
        flags(folder, name)
        child.hang_up()
        assert child.log() == "reloaded"
        signs(child)
        assert child.end()[0] == 0


HANGS = """
import os
from opensmtpd.log import log
from opensmtpd.mail.dkim.keys import load
from opensmtpd.mail.dkim.keys.signing_worker import SigningWorker

def opener(path, flags):
    if os.path.exists("{0}/dead"):
        log("waiting")
        open("{0}/dead").close()  # a FIFO without a writer: as open(2) on a dead mount
    return os.open(path, flags)

reading = load.reading
load.reading = lambda path: reading(path, opener=opener)
"""
"""A module with a worker that hangs where it reads a key."""
USES = """
from opensmtpd_filters import dkimsign
dkimsign.SIGNING_WORKER = "{0}/hangs.py:SigningWorker"
"""


def test_a_key_on_a_dead_mount_does_not_stop_mail(folder: Path) -> None:
    arguments = flags(folder, KEY)
    (folder / "hangs.py").write_text(HANGS.format(folder))
    with Child(folder, USES.format(folder), *arguments, main=MAIN) as child:
        child.hello()
        os.mkfifo(folder / "dead")
        child.hang_up()
        assert child.log() == "waiting"
        for _ in range(20):
            signs(child)
        os.close(os.open(folder / "dead", os.O_WRONLY))
        assert child.log() == "reloaded"
        signs(child)
        child.hang_up()
        assert child.log() == "waiting"
        assert child.end()[0] == 0  # although it hangs


def test_warnings_come_at_a_reload_too(folder: Path) -> None:
    with Child(folder, "", *flags(folder, KEY), main=MAIN) as child:
        child.hello()
        (folder / KEY).chmod(0o644)
        child.hang_up()
        path = folder / KEY
        assert child.log() == (
            f'dkim-key-warning reason="{path}: key open to every user of this machine;'
            f' chmod o= {path}"'
        )
        assert child.log() == "reloaded"


# --- one line, whatever is wrong ----------------------------------------------------------------


def test_several_faults_are_one_line(folder: Path) -> None:
    """The line is about the first thing to mend, and has no warning of the others beside it."""
    arguments = flags(folder, KEY)
    (folder / KEY).chmod(0o644)  # worth a warning by itself
    assert said_at_start(*arguments, "-d", "a;b", "-h", "", "-c", "nofws").startswith(
        "'a;b' is no domain; use letters, "
    )
    assert said_at_start(*arguments, "-d", "a_b.example", "-h", "").startswith(
        "no name of a header field: '';"
    )
    (folder / KEY).write_text("")
    assert said_at_start(*arguments, "-d", "a;b") == (
        f"{folder}/ed.key: an empty file; make one: openssl genrsa -out FILE 2048"
    )


def test_the_nearest_file_is_named(folder: Path) -> None:
    flags(folder, KEY)
    (folder / "example.com.mail.key").touch()
    for wrong in ("example.com.key", "example.com.mail.pem"):
        path = str(folder / wrong)
        assert said_at_start("-n", "-d", "example.com", "-s", "mail", "-k", path) == (
            f"{path}: cannot read it: No such file or directory;"
            f" did you mean {folder}/example.com.mail.key?"
        )
