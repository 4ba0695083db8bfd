"""Tables in PostgreSQL, MariaDB and Valkey by the operator's command: moved, edited, and asked."""

from pathlib import Path

import pytest

from integration.support.keeper import (
    FILES,
    HASH,
    SECRET,
    SERVERS,
    VALKEYS,
    Keeper,
    made,
)
from integration.support.keeper import valkey as valkey_lines
from lab.peers.databases.valkey import ValkeyServer
from lab.peers.table_client import TableClient, original, ours
from lab.support import ALONE

pytestmark = ALONE


def test_to_the_server_and_back(keeper: Keeper) -> None:
    diff = keeper.done("import", keeper.conf, keeper.place)
    for name in ("domains", "aliases", "users", "base"):
        assert f"\n+table {name} {keeper.kind}:{keeper.folder}/{name}.conf\n" in diff
    back = keeper.folder / "back"
    back.mkdir()
    lines = keeper.done("export", keeper.place, back)
    assert lines.splitlines() == [
        f"table {name} file:{back}/{name}" for name in ("aliases", "base", "domains", "users")
    ]
    for name, text in FILES.items():
        assert (back / name).read_text() == text
    assert (back / "base").read_text() == "alice: 1000:1000:/home/alice\nbob: 1001:1001:/home/bob\n"


def test_from_sqlite_to_the_server_and_back_by_one_command_each(keeper: Keeper) -> None:
    first, last = keeper.folder / "first.sqlite", keeper.folder / "last.sqlite"
    keeper.done("import", keeper.conf, first, "--config-dir", made(keeper.folder / "a"))
    assert keeper.done("import", first, keeper.place).splitlines() == [
        f"table {name} {keeper.kind}:{keeper.folder}/{name}.conf"
        for name in ("aliases", "base", "domains", "users")
    ]
    keeper.done("import", keeper.place, last, "--config-dir", made(keeper.folder / "b"))
    one, other = made(keeper.folder / "one"), made(keeper.folder / "other")
    keeper.done("export", first, one)
    keeper.done("export", last, other)
    names = sorted(path.name for path in one.iterdir())
    assert names == ["aliases", "base", "domains", "users"]
    assert [(other / n).read_bytes() for n in names] == [(one / n).read_bytes() for n in names]


def _programs(keeper: Keeper, request: pytest.FixtureRequest) -> list[list[str]]:
    """Return our table program, and the one in C, which knows no users of Valkey."""
    server = request.getfixturevalue(SERVERS[keeper.kind])
    program = f"table-{keeper.kind}"
    in_c = [] if keeper.kind == "redis" else [original(server.view, program)]
    return [ours(program), *in_c]


def test_what_is_edited_is_what_a_table_answers(
    keeper: Keeper, request: pytest.FixtureRequest
) -> None:
    keeper.moved()
    place, folder = keeper.place, keeper.folder
    keeper.done("user", "add", place, "Carol", given="a password\n")
    keeper.done("domain", "add", place, "example.net")
    for program in _programs(keeper, request):
        keeper.done("alias", "add", place, "sales", "carol", "bob@example.net")
        with TableClient(program, folder / "aliases.conf") as table:
            assert table.lookup("alias", b"sales") == b"found|carol, bob@example.net"
            assert table.lookup("alias", "ünï".encode()) == b"found|alice"
            keeper.done("alias", "remove", place, "sales")
            assert table.lookup("alias", b"sales") == b"not-found"
        with TableClient(program, folder / "users.conf") as table:
            assert table.lookup("credentials", b"alice") == f"found|alice:{HASH}".encode()
            before = table.lookup("credentials", b"carol")
            assert before.startswith(b"found|carol:$")
            keeper.done("user", "passwd", place, "carol", given="another\n")
            assert table.lookup("credentials", b"carol") != before
        with TableClient(program, folder / "base.conf") as table:
            assert table.lookup("userinfo", b"bob") == b"found|1001:1001:/home/bob"
    with TableClient(ours(f"table-{keeper.kind}"), folder / "domains.conf") as table:
        assert table.check("domain", b"example.net") == b"found"
        assert table.check("domain", b"mail.example.org") == b"found"
        assert table.check("domain", b"example.edu") == b"not-found"
    domains = keeper.done("domain", "list", place).split()
    assert domains == ["*.example.org", "example.com", "example.net"]
    users = keeper.done("user", "list", place).splitlines()
    assert users == ["alice\t1000\t1000\t/home/alice", "carol"]
    keeper.done("user", "remove", place, "carol")
    gone = keeper("user", "remove", place, "carol")
    assert gone == (1, "", f"opensmtpd-plugins: {place}: carol is not in users\n")
    assert keeper("alias", "add", place, "root", "eve").err.endswith("root is in aliases already\n")


def test_the_first_user_of_an_empty_database(keeper: Keeper) -> None:
    assert keeper("user", "list", keeper.place).err == (
        f"opensmtpd-plugins: {keeper.place}: the database has no tables of smtpd; fill it:"
        f" opensmtpd-plugins import /etc/mail/smtpd.conf {keeper.place}\n"
    )


def test_files_with_a_password_are_not_for_everybody(keeper: Keeper) -> None:
    keeper.moved()
    for name in ("domains", "aliases", "users", "base"):
        path = keeper.folder / f"{name}.conf"
        assert path.stat().st_mode & 0o007 == 0
        assert SECRET in path.read_text()


of_sql = pytest.mark.parametrize("keeper", ["postgres", "mysql"], indirect=True)


@of_sql
def test_nothing_is_left_of_what_fails(keeper: Keeper) -> None:
    (keeper.folder / "users").write_text(f"alice: {HASH}\n")
    (keeper.folder / "domains").write_bytes(b"example.com\nexample\xff.org\n")
    said = keeper("import", keeper.conf, keeper.place)
    assert (said.status, said.out) == (1, "")
    assert "bytes that are no UTF-8; change or remove this row" in said.err
    tables = keeper.sql(
        "SELECT table_name FROM information_schema.tables"
        " WHERE table_schema IN ('public', 'cli') AND table_name NOT LIKE 'smtpd_%'"
    )
    assert tables.strip() == ""
    assert not list(keeper.folder.glob("*s.conf"))
    (keeper.folder / "domains").write_text(FILES["domains"])
    keeper.moved()


def test_tables_are_replaced_when_that_is_said_only(keeper: Keeper) -> None:
    keeper.moved()
    keeper.done("alias", "add", keeper.place, "sales", "bob")
    again = keeper("import", keeper.conf, keeper.place, "--config-dir", made(keeper.folder / "c"))
    assert again.err.endswith(
        f"{keeper.place}: there is a table aliases already; replace it with --force\n"
    )
    forced = keeper("import", keeper.conf, keeper.place, "--force")
    if keeper.kind == "mysql":
        assert "MySQL could not undo its replacement" in forced.err
    else:
        assert forced.status == 0, forced.err
    there = "sales\tbob\n" in keeper.done("alias", "list", keeper.place)
    assert there is (keeper.kind == "mysql")


@of_sql
def test_a_newer_schema_is_left_alone(keeper: Keeper) -> None:
    keeper.moved()
    keeper.sql("UPDATE smtpd_schema SET version = 2")
    for arguments in (("alias", "list", keeper.place), ("import", keeper.conf, keeper.place)):
        said = keeper(*arguments)
        assert (said.status, said.out) == (1, "")
        assert f"{keeper.place}: a database with a newer schema; use the version" in said.err


def test_a_server_that_is_away_and_one_that_refuses(keeper: Keeper) -> None:
    text = keeper.file.read_text()
    keeper.file.write_text(text.replace(SECRET, "wrong"))
    said = keeper("alias", "list", keeper.place)
    assert said.status == 1
    assert f"{keeper.file}: no connection to" in said.err
    keeper.file.write_text(text.replace("127.0.0.1", "127.0.0.9"))
    said = keeper("alias", "list", keeper.place)
    assert said.status == 1
    assert said.err.endswith("; see that the server runs\n")
    keeper.file.write_text("timeout 1\n")
    assert keeper("alias", "list", keeper.place).status == 1


def test_valkey_has_bytes_of_any_kind_and_no_half_of_an_import(
    valkey: ValkeyServer, tmp_path: Path
) -> None:
    lines, sql = valkey_lines(valkey)
    keeper = Keeper(tmp_path, "redis", lines, sql)
    (tmp_path / "domains").write_bytes(b"example.com\nexample\xff.org\n")
    valkey.execute("SET", "users", "somebody's own", database=VALKEYS)
    said = keeper("import", keeper.conf, keeper.place)
    assert said.err.endswith(
        f"{keeper.place}: there is a key users, which is no table of smtpd;"
        " use another database of the server\n"
    )
    assert valkey.execute("KEYS", "*", database=VALKEYS).split() == ["users"]
    valkey.execute("DEL", "users", database=VALKEYS)
    keeper.moved()
    keys = valkey.execute("KEYS", "*", database=VALKEYS).split()
    assert sorted(keys) == ["aliases", "base", "domains", "smtpd_tables", "users"]
    back = made(tmp_path / "back")
    keeper.done("export", keeper.place, back)
    assert (back / "domains").read_bytes() == b"example.com\nexample\xff.org\n"
