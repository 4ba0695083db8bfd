"""Imports to servers that are killed, run twice at once, or meet odd names and rows."""

import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from integration.support.keeper import HASH, SECRET, VALKEYS, Keeper, made
from lab.peers.databases.valkey import ValkeyServer
from lab.peers.table_client import TableClient, ours
from lab.support import ALONE

pytestmark = ALONE
ROWS = 6000


def _large(keeper: Keeper) -> Path:
    """Return a database of SQLite that takes a while to copy."""
    for name, text in {
        "users": "user{0}: user{0}:" + HASH + "\n",
        "aliases": "alias{0}: user{0}, bob\n",
        "domains": "d{0}.example.org\n",
    }.items():
        (keeper.folder / name).write_text("".join(text.format(n) for n in range(ROWS)))
    database = keeper.folder / "large.sqlite"
    keeper.done("import", keeper.conf, database, "--config-dir", made(keeper.folder / "sqlite"))
    return database


def _begun(*arguments: object) -> subprocess.Popen[str]:
    program = str(Path(sys.executable).with_name("opensmtpd-plugins"))
    pipe = subprocess.PIPE
    return subprocess.Popen([program, *map(str, arguments)], stdout=pipe, stderr=pipe, text=True)


def _cut_short(database: Path, keeper: Keeper, number: int) -> bool:
    """Begin to copy a database, and send a signal when it is at it; tell if it was in time."""
    begun = _begun("import", database, keeper.place)
    until = time.monotonic() + 30
    while time.monotonic() < until and begun.poll() is None and not _busy(keeper):
        time.sleep(0.01)
    begun.send_signal(number)
    begun.communicate(timeout=60)
    return begun.returncode != 0


def _busy(keeper: Keeper) -> bool:
    """Return whether a table has been made; PostgreSQL shows none before the end."""
    if keeper.kind == "redis":
        return "smtpd_new:" in keeper.sql("KEYS *")
    if keeper.kind == "postgres":
        return "INSERT" in keeper.sql(
            "SELECT query FROM pg_stat_activity WHERE usename = 'keeper' AND state <> 'idle'"
        )
    return "users" in keeper.sql("SHOW TABLES")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_an_import_that_is_ended(keeper: Keeper, number: int) -> None:
    database = _large(keeper)
    if not _cut_short(database, keeper, number):
        pytest.skip("it was done by then")
    assert not list(keeper.folder.glob("*s.conf"))
    listed = keeper("alias", "list", keeper.place)
    assert listed.status == 1
    missing = "the database has no tables of smtpd", "no table has the service alias"
    assert any(words in listed.err for words in missing)
    again = keeper("import", database, keeper.place)
    if keeper.kind == "mysql" and number == signal.SIGKILL:
        assert "which smtpd_tables does not list; rename one; drop it if an" in again.err
        for name in ("aliases", "base", "domains", "users"):
            assert keeper.sql(f"SELECT COUNT(*) FROM {name}").split()[-1] == "0"
            keeper.sql(f"DROP TABLE {name}")
        keeper.done("import", database, keeper.place)
    else:
        assert again.status == 0, again.err
    assert keeper.done("alias", "list", keeper.place).count("\n") == ROWS


def test_two_imports_at_once(keeper: Keeper) -> None:
    database = _large(keeper)
    begun = [
        _begun("import", database, keeper.place, "--config-dir", made(keeper.folder / f"c{n}"))
        for n in range(2)
    ]
    said = [each.communicate(timeout=120) for each in begun]
    done = [each.returncode for each in begun]
    assert sorted(done) == [0, 1], said
    assert "Traceback" not in said[done.index(1)][1]
    assert not list((keeper.folder / f"c{done.index(1)}").iterdir())
    for command in ("alias", "user", "domain"):
        assert keeper.done(command, "list", keeper.place).count("\n") == ROWS
    keeper.done("alias", "add", keeper.place, "new", "bob")


def test_names_of_tables_are_literal(keeper: Keeper) -> None:
    for name in ("a%b", "A`z", "d\u00e9$1?", "x'y"):
        keeper.conf.write_text(
            f'table "{name}" {{ "x" = "y", "z" = "w" }}\n'
            f'action "d" maildir alias <"{name}">\nmatch from any for any action "d"\n'
        )
        keeper.done("import", keeper.conf, keeper.place)
        with TableClient(ours(f"table-{keeper.kind}"), keeper.folder / f"{name}.conf") as table:
            assert table.lookup("alias", b"x") == b"found|y"
            assert table.lookup("alias", b"y") == b"not-found"
        keeper.done("alias", "add", keeper.place, "n", "m", "--table", name)
        assert keeper.done("alias", "list", keeper.place, "--table", name) == "n\tm\nx\ty\nz\tw\n"
        keeper.done("alias", "remove", keeper.place, "n", "--table", name)


def test_a_configuration_file_that_was_for_all_is_not_when_it_gets_a_password(
    keeper: Keeper,
) -> None:
    database = keeper.folder / "mail.sqlite"
    keeper.done("import", keeper.conf, database)
    written = keeper.folder / "aliases.conf"
    assert written.stat().st_mode & 0o777 == 0o644
    said = keeper("import", database, keeper.place, "--force")
    assert said.status == 0, said.err
    assert SECRET in written.read_text()
    assert written.stat().st_mode & 0o007 == 0
    assert "smtpd cannot read it" not in said.err.replace(str(written), "")


def test_the_first_user_gets_a_table_and_its_file_or_neither(keeper: Keeper) -> None:
    keeper.conf.write_text(
        f"table domains file:{keeper.folder}/domains\nmatch from any for domain <domains> reject\n"
    )
    keeper.moved()
    add = ("user", "add", keeper.place, "Alice")
    taken = keeper.folder / "credentials.conf"
    taken.write_text("mine")
    assert "is there already" in keeper(*add, given="a password\n").err
    assert "no table has the service credentials" in keeper("user", "list", keeper.place).err
    taken.unlink()
    line = f"table credentials {keeper.kind}:{taken}\n"
    assert keeper.done(*add, given="a password\n") == line
    with TableClient(ours(f"table-{keeper.kind}"), taken) as table:
        assert table.lookup("credentials", b"alice").startswith(b"found|alice:$")
    assert keeper.done("user", "list", keeper.place) == "alice\n"


def test_the_operators_own_file_stays_his(keeper: Keeper) -> None:
    """Its user may make tables: smtpd has no need to read it."""
    keeper.file.chmod(0o600)
    said = keeper("import", keeper.conf, keeper.place)
    assert f"{keeper.file}: smtpd cannot read it" not in said.err


def test_all_who_can_read_a_password_are_told_of(keeper: Keeper) -> None:
    keeper.moved()
    keeper.file.chmod(0o644)
    said = keeper("alias", "list", keeper.place)
    assert f"secret-readable path={keeper.file}" in said.err
    assert said.status == 0


def test_rows_of_others_are_judged_before_they_are_copied(keeper: Keeper) -> None:
    keeper.moved()
    target = keeper.folder / "new.sqlite"
    for key, value, reason in (
        ("Upper", "x", "Upper: a key in upper case"),
        ("long", "x" * 3000, "long: a value of 3,000 bytes; 2,047 are possible"),
        ("odd", "a\nb", "odd: a line end or NUL in the value"),
    ):
        if keeper.kind == "mysql" and len(value) > 2047:
            continue  # its column is as long as a value may be
        _put(keeper, key, value)
        said = keeper("import", keeper.place, target, "--config-dir", keeper.folder)
        assert (said.status, said.out) == (1, "")
        assert f"table aliases: {reason}" in said.err
        assert not target.exists()
        _drop(keeper, key)


def _put(keeper: Keeper, key: str, value: str) -> None:
    if keeper.kind == "redis":
        keeper.sql(shlex.join(["HSET", "aliases", key, value]))
    else:
        keeper.sql(f"INSERT INTO aliases VALUES ('{key}', '{value}')")


def _drop(keeper: Keeper, key: str) -> None:
    if keeper.kind == "redis":
        keeper.sql(shlex.join(["HDEL", "aliases", key]))
    else:
        name = '"key"' if keeper.kind == "postgres" else "`key`"
        keeper.sql(f"DELETE FROM aliases WHERE {name} = '{key}'")


def test_a_key_that_is_too_long_for_mysql(keeper: Keeper) -> None:
    first = keeper.folder / "first.sqlite"
    (keeper.folder / "aliases").write_text("k" * 800 + ": alice\n")
    keeper.done("import", keeper.conf, first, "--config-dir", made(keeper.folder / "a"))
    said = keeper("import", first, keeper.place)
    if keeper.kind == "mysql":
        assert "a key of 800 characters; 768 are possible" in said.err
        assert keeper.sql("SHOW TABLES").split() == ["smtpd_schema", "smtpd_tables"]
    else:
        assert said.status == 0, said.err


def test_what_an_import_leaves_in_valkey_when_it_is_killed_goes_by_itself(
    keeper: Keeper, valkey: ValkeyServer
) -> None:
    if keeper.kind != "redis":
        return
    if not _cut_short(_large(keeper), keeper, signal.SIGKILL):
        pytest.skip("it was done by then")
    for key in valkey.execute("KEYS", "*", database=VALKEYS).split():
        assert key.startswith("smtpd_new:")
        assert 0 < int(valkey.execute("TTL", key, database=VALKEYS)) <= 86400


PLACED = ("--uid", "1", "--gid", "1", "--home", "/h")


def test_a_user_is_added_to_both_tables_or_to_none(keeper: Keeper) -> None:
    keeper.conf.write_text(f"""\
table users file:{keeper.folder}/users
listen on 127.0.0.1 port 2525 auth <users>
""")
    keeper.moved()
    (keeper.folder / "userinfo.conf").write_text("of somebody else")
    added = keeper("user", "add", keeper.place, "carol", *PLACED, given="a password\n")
    assert added.status == 1
    assert added.err.endswith("/userinfo.conf: is there already; remove it, or rename it\n")
    assert keeper.done("user", "list", keeper.place).split() == ["alice"]


def test_a_user_who_has_a_place_already_gets_no_password(keeper: Keeper) -> None:
    keeper.moved()
    added = keeper("user", "add", keeper.place, "bob", *PLACED, given="a password\n")
    assert added.status == 1
    assert added.err.endswith("bob is in base already\n")
    assert "bob" not in keeper.done("user", "list", keeper.place)


@pytest.mark.parametrize("keeper", ["postgres"], indirect=True)
def test_a_database_cannot_replace_itself(keeper: Keeper) -> None:
    """Its tables are being read, and the import does not wait for itself."""
    keeper.moved()
    copied = keeper("import", keeper.place, keeper.place, "--force")
    assert copied.status == 1
    assert "nothing was done: " in copied.err
    assert "lock timeout" in copied.err
    assert keeper.done("user", "list", keeper.place).startswith("alice\t")
