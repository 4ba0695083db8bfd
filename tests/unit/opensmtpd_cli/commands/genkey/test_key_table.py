"""``genkey --rotate``: the table gets a whole line more, or all files stay as they were."""

import errno
import fcntl
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from opensmtpd.errors import ConfigError
from opensmtpd.mail.dkim.keys import named_keys
from opensmtpd_cli.commands.genkey import key_table
from opensmtpd_cli.commands.genkey.key_table import KeyTableFile, locked
from unit.support.dkim_material import ED25519_PUBLIC
from unit.support.new_keys import (
    KEY_TABLE,
    filter_with,
    published,
    rotate,
    signatures,
    state,
)
from unit.support.swap import Program

pytestmark = pytest.mark.usefixtures("nobody_special")


NEW = "example.com  ed2  example.com.ed2.key"


def test_the_filter_signs_with_both_and_then_with_the_new_one(run: Program, table: Path) -> None:
    said = rotate(run, table)
    assert said.status == 0
    records = {"ed._domainkey.example.com": ED25519_PUBLIC, **published(said.out)}
    assert set(records) == {"ed._domainkey.example.com", "ed2._domainkey.example.com"}
    both = filter_with("-f", str(table), "-c", "relaxed/relaxed")
    assert sorted(signatures(both, records)) == [("ed", True), ("ed2", True)]
    text = table.read_bytes().decode()
    assert text == KEY_TABLE.replace("\nexample.org", f"\n{NEW}\nexample.org")
    table.write_text(text.replace("example.com  ed  ed.key\n", ""))
    del records["ed._domainkey.example.com"]
    assert signatures(filter_with("-f", str(table)), records) == [("ed2", True)]


def test_twice_in_a_row_both_old_ones_may_go(run: Program, table: Path) -> None:
    rotate(run, table)
    said = rotate(run, table)
    assert "   line 2, 3 (selector ed, ed2) out of " in said.err
    assert "unpublish ed._domainkey.example.com, ed2._domainkey.example.com\n" in said.err
    assert [one.selector for one in named_keys.key_table(str(table))] == ["ed", "ed2", "ed3", "x"]


def test_another_algorithm_leaves_the_old_key_where_it_is(run: Program, table: Path) -> None:
    said = rotate(run, table, "--algorithm", "rsa", "--selector", "rsa", "--bits", "2056")
    assert said.err.splitlines()[-1] == (
        "   The keys for the other algorithm stay: not every verifier knows both."
    )
    keys = {one.selector: one.key.algorithm for one in named_keys.key_table(str(table))}
    assert keys == {"ed": "ed25519-sha256", "rsa": "rsa-sha256", "x": "rsa-sha256"}


def test_the_name_is_that_of_the_table(run: Program, table: Path) -> None:
    table.write_text("Example.COM ed ed.key")
    said = run("genkey", "--domain", "eXAMPLE.com", "--rotate", table)
    assert table.read_text() == "Example.COM ed ed.key\nExample.COM ed2 Example.COM.ed2.key"
    assert said.out.startswith("ed2._domainkey.Example.COM. IN TXT ( ")


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444, 0o664])
def test_the_mode_stays(run: Program, table: Path, mode: int) -> None:
    table.chmod(mode)
    assert rotate(run, table).status == 0
    assert table.stat().st_mode & 0o7777 == mode


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files to others")
def test_owner_and_group_stay(run: Program, table: Path) -> None:
    os.chown(table, 1234, 1235)
    assert rotate(run, table).status == 0
    assert (table.stat().st_uid, table.stat().st_gid) == (1234, 1235)


def test_the_file_behind_a_link_is_replaced(run: Program, table: Path, tmp_path: Path) -> None:
    """Relative paths in it begin in the folder of the link, as the filter reads them."""
    (tmp_path / "real").mkdir()
    table.rename(tmp_path / "real" / "other")
    table.symlink_to("real/other")
    assert rotate(run, table).status == 0
    assert table.is_symlink()
    assert NEW in (tmp_path / "real" / "other").read_text()
    assert (tmp_path / "example.com.ed2.key").exists()
    assert [path.name for path in (tmp_path / "real").iterdir()] == ["other"]


# --- what fails ---------------------------------------------------------------------------------


def test_a_file_that_is_there_is_passed_over_or_refused(run: Program, table: Path) -> None:
    (table.parent / "example.com.ed2.key").write_text("mine")
    assert rotate(run, table).out.startswith("ed3._domainkey.example.com. ")
    before = state(table.parent)
    said = rotate(run, table, "--selector", "ed2")
    assert (said.status, said.out) == (1, "")
    assert "example.com.ed2.key: is there already, and a key is never overwritten; " in said.err
    assert state(table.parent) == before


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--selector", "ed"), "selector ed is taken"),
        (("--bits", "4096"), "an Ed25519 key has no choice of bits"),
        (("--algorithm", "rsa", "--bits", "1024"), "an RSA key of 1024 bits: "),
        (("--domain", "example.net"), "no line for example.net"),
        (("--key", "a b"), "a key table cannot name it"),
        (("--key", "no/key"), "/no: there is no such directory"),
    ],
)
def test_nothing_is_done(
    run: Program, table: Path, arguments: tuple[str, ...], reason: str
) -> None:
    before = state(table.parent)
    said = rotate(run, table, *arguments)
    assert (said.status, said.out, len(said.err.splitlines())) == (1, "", 1)
    assert reason in said.err
    assert state(table.parent) == before


def failing(number: int) -> Callable[..., object]:
    def fail(*_: object, **__: object) -> object:
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize(
    ("step", "number"),
    [("replace", errno.EROFS), ("fchown", errno.EPERM), ("open", errno.EACCES)],
)
def test_nothing_is_left_where_the_table_cannot_be_replaced(
    run: Program, table: Path, monkeypatch: pytest.MonkeyPatch, step: str, number: int
) -> None:
    before = state(table.parent)
    with monkeypatch.context() as patch:
        real: Callable[..., object] = getattr(os, step)

        def call(path: object, *arguments: object, **more: object) -> object:
            ours = step != "open" or str(path).startswith(".table.")  # the new table alone
            return (failing(number) if ours else real)(path, *arguments, **more)

        patch.setattr(os, step, call)
        said = rotate(run, table)
    assert (said.status, said.out) == (1, "")
    remedy = "; run it as root"
    if number == errno.EROFS:
        remedy = "; mount its file system for writing, or choose another place"
    assert said.err == f"opensmtpd-plugins: {table}: {os.strerror(number)}{remedy}\n"
    assert state(table.parent) == before


def test_a_table_that_somebody_edits_meanwhile(
    run: Program, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = KeyTableFile.replace

    def replace(file: KeyTableFile, text: str) -> None:
        table.write_text(KEY_TABLE + "# an editor was here\n")
        real(file, text)

    monkeypatch.setattr(KeyTableFile, "replace", replace)
    said = rotate(run, table)
    assert said.err == f"opensmtpd-plugins: {table}: was changed meanwhile; try again\n"
    assert table.read_text() == KEY_TABLE.replace("\r", "") + "# an editor was here\n"
    assert sorted(path.name for path in table.parent.iterdir()) == ["ed.key", "rsa.key", "table"]


def test_an_interrupt_behind_the_last_step_leaves_the_key(
    run: Program, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table names it by then."""

    real: Callable[..., None] = os.replace

    def replace(*places: str, **folders: int) -> None:
        real(*places, **folders)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", replace)
        assert rotate(run, table).status == 1
    assert [one.selector for one in named_keys.key_table(str(table))] == ["ed", "ed2", "x"]


@pytest.mark.parametrize("what", ["none", "folder", "fifo"])
def test_what_is_no_file(tmp_path: Path, what: str) -> None:
    path = tmp_path / "table"
    if what == "folder":
        path.mkdir()
    elif what == "fifo":
        os.mkfifo(path)
    reason = {
        "none": "cannot read it: No such file",
        "folder": "a directory, not a regular file",
        "fifo": "a FIFO, not a regular file",
    }
    with pytest.raises(ConfigError, match=f"table: {reason[what]}"), locked(str(path)):
        pass


def test_another_run_is_waited_for(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_table, "WAIT", 0.1)
    other = os.open(table.parent, os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_EX)
    with (
        pytest.raises(ConfigError, match="table: another run is changing it; try again"),
        locked(str(table)),
    ):
        pass
    os.close(other)
    with locked(str(table)):
        pass


def test_runs_side_by_side_lose_no_line(table: Path) -> None:
    # Root would give the keys to the filter's group, which need not be here.
    code = (
        "import os; os.geteuid = lambda: 1000; from opensmtpd_cli.main import main;"
        " from opensmtpd_cli.commands.genkey import key_table; key_table.WAIT = 120; main()"
    )
    command = [sys.executable, "-c", code, "--quiet", "genkey", "--domain", "example.com"]
    runs = [
        subprocess.Popen([*command, "--rotate", str(table)], stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    said = [one.communicate(timeout=120)[0] for one in runs]
    assert [one.returncode for one in runs] == [0] * 4
    names = {f"ed{number}" for number in range(2, 6)}
    assert {one.partition(".")[0] for one in said} == names
    assert [one.selector for one in named_keys.key_table(str(table))] == ["ed", *sorted(names), "x"]


def test_a_fifo_in_the_place_of_the_table_or_of_a_key(run: Program, table: Path) -> None:
    """It is an error at once, and nothing waits for somebody who writes to it."""
    key = table.with_name("ed.key")
    key.unlink()
    os.mkfifo(key)
    before = state(table.parent)
    said = rotate(run, table)
    assert (said.status, said.out) == (1, "")
    fault = "a FIFO, not a regular file; name a regular file"
    assert said.err == f"opensmtpd-plugins: {table}:2: {key}: {fault}\n"
    assert state(table.parent) == before
    table.unlink()
    os.mkfifo(table)
    assert rotate(run, table).err == f"opensmtpd-plugins: {table}: {fault}\n"
