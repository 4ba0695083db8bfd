"""A database in the hands of somebody who wants to stop smtpd, or all mail."""

import os
import time
from collections.abc import Callable

import pytest

from integration.support.table_faults import (
    DATABASE,
    FOLDER,
    Undo,
    break_the_schema,
    path,
    replace_aliases,
)
from integration.support.table_scenes import ALICE
from lab.peers import mail
from lab.shows import moves
from lab.shows.demo import STRANGER
from lab.shows.guide import Guide
from lab.support import Lab, setups


def prepare(guide: Guide) -> None:
    """Put the database into a folder, and change it as somebody may while smtpd is stopped."""
    (guide.view / FOLDER[1:]).mkdir()
    moves.to_credentials(guide, DATABASE)


pytestmark = pytest.mark.parametrize("running", setups("spoilt", prepare), indirect=True, ids=str)


def strangers_mail() -> int:
    """Return the code that a mail from outside ends with."""
    with mail.connect() as client:
        return mail.send(client, STRANGER, ALICE, mail.compose(STRANGER, ALICE, "hostile"))[0]


def all_is_well(lab: Lab) -> None:
    assert strangers_mail() == 250
    assert lab.inbox.one().folder == "inbox"


COUNT = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT 'alice' AS key, "
VIEWS = {
    "one instruction for seconds": COUNT
    + "instr(zeroblob(499999)||x'01'||i, zeroblob(250000)||x'01'||i) AS value FROM n LIMIT 2000",
    "rows without end": COUNT + "hex(zeroblob(500000)) AS value FROM n",
    "small rows without end": COUNT + "hex(zeroblob(900)) AS value FROM n",
    "no row, without end": COUNT + "i AS value FROM n WHERE i < 0",
    "one row of all": COUNT + "group_concat(i) AS value FROM n",
}


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_a_view_in_a_tables_place(lab: Lab, view: str) -> None:
    all_is_well(lab)
    undo = replace_aliases(lab, f"CREATE VIEW aliases AS {view}")
    try:
        assert 400 <= strangers_mail() < 500
        for process in lab.server.tables():
            assert peak(process) < 100_000
        lab.server.check()
    finally:
        undo()
    all_is_well(lab)


def peak(process: int) -> int:
    """Return the most memory that a process has had, in KiB."""
    with open(f"/proc/{process}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))


def test_files_beside_it_that_nobody_can_read(lab: Lab) -> None:
    """They are none that SQLite made, and hold up nobody."""
    folder = path(lab).parent
    (folder / "smtpd.sqlite-wal").mkdir()
    os.mkfifo(folder / "smtpd.sqlite-journal")
    try:
        all_is_well(lab)
        path(lab).touch()
        all_is_well(lab)
    finally:
        (folder / "smtpd.sqlite-wal").rmdir()
        (folder / "smtpd.sqlite-journal").unlink()
    all_is_well(lab)


def test_a_fifo_in_its_place(lab: Lab) -> None:
    all_is_well(lab)
    away = path(lab).with_name("away")
    path(lab).rename(away)
    os.mkfifo(path(lab))
    try:
        assert 400 <= strangers_mail() < 500
        lab.server.check()
    finally:
        away.rename(path(lab))
    all_is_well(lab)


@pytest.mark.parametrize(
    "spoil",
    [
        break_the_schema,
        lambda lab: replace_aliases(lab, "CREATE TABLE others (key, value)"),
    ],
    ids=["schema", "table"],
)
def test_smtpd_starts_with_it(running: Lab, spoil: Callable[[Lab], Undo]) -> None:
    undo = spoil(running)
    try:
        restart(running)
        assert 400 <= strangers_mail() < 500
    finally:
        undo()
    running.server.check()
    all_is_well(running)


def restart(lab: Lab) -> None:
    """Restart smtpd with an empty queue: a mail that is in it may be delivered twice."""
    end = time.monotonic() + 60
    while moves.smtpctl(lab.guide, "show", "queue"):
        assert time.monotonic() < end
        time.sleep(0.05)
    lab.server.restart()


@pytest.mark.parametrize("condition", ["", " WHERE key = '?'", " WHERE key <> '?'"])
def test_a_query_without_its_key(running: Lab, condition: str) -> None:
    """Nobody's mail goes to everybody, and none is refused for good."""
    conf = path(running).with_name("aliases.conf")
    good = conf.read_text()
    conf.write_text(f"dbpath {DATABASE}\nquery_alias SELECT value FROM aliases{condition}\n")
    try:
        assert moves.smtpctl(running.guide, "update", "table", "aliases") == "command failed"
        all_is_well(running)  # with the old configuration
        restart(running)
        assert 400 <= strangers_mail() < 500
        assert "query_alias: it never uses the key, so all keys have one answer" in running.log
    finally:
        conf.write_text(good)
    assert moves.smtpctl(running.guide, "update", "table", "aliases") == "command succeeded"
    all_is_well(running)
