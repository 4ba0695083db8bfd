"""table-sqlite: what smtpd is answered, whatever the rows say."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from opensmtpd.errors import ConfigError
from opensmtpd.table import Service, passwords
from opensmtpd.testing import ask
from unit.support.lookups import Talk, hello
from unit.support.sqlite_files import LOOKUP, create, locked, put, write
from unit.support.sqlite_served import PLAIN, populated, table

OTHERS = [service for service in PLAIN if service not in (Service.CREDENTIALS, Service.USERINFO)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return populated(tmp_path)


# --- what the rows say ----------------------------------------------------------------------------


@pytest.mark.parametrize("service", OTHERS)
def test_each_service_has_its_query(path: Path, service: Service) -> None:
    some = table(path)
    assert ask(some, "lookup", service, "Alice") == ("found", "bob")
    assert ask(some, "check", service, "alice") == ("found", "")
    assert ask(some, "lookup", service, "nobody") == ("not-found", "")
    assert ask(some, "check", service, "nobody") == ("not-found", "")


def test_credentials_and_users(path: Path) -> None:
    write(path, "INSERT INTO users VALUES ('alice', 1000, '100', '/home/alice')")
    some = table(path)
    assert ask(some, "lookup", "credentials", "alice") == ("found", "alice:bob")
    assert ask(some, "lookup", "userinfo", "alice") == ("found", "1000:100:/home/alice")
    assert ask(some, "lookup", "credentials", "bob") == ("not-found", "")
    assert ask(some, "lookup", "userinfo", "bob") == ("not-found", "")
    assert ask(some, "check", "userinfo", "alice") == ("found", "")


def test_services(path: Path) -> None:
    assert set(table(path).services) == set(PLAIN)
    with_auth = table(path, "query_auth SELECT key, value FROM rows WHERE key = ?")
    assert set(with_auth.services) == set(Service)
    assert not with_auth.force_auth
    forced = table(
        path, "query_auth SELECT key, value FROM rows WHERE key = ?", "auth_before_7.9 yes"
    )
    assert forced.force_auth
    assert Talk(forced, hello=hello(b"7.6.0")).registered.endswith(
        b"register|auth\nregister|ready\n"
    )


def test_passwords(path: Path) -> None:
    write(path, f"INSERT INTO rows VALUES ('carol', '{passwords.encrypt('PassWord')}')")
    some = table(path, "query_auth SELECT key, value FROM rows WHERE key = ?")
    assert ask(some, "check", "auth", "Carol:PassWord") == ("found", "")
    assert ask(some, "check", "auth", "carol:password") == ("not-found", "")
    assert ask(some, "check", "auth", "nobody:x") == ("not-found", "")
    result, text = ask(some, "check", "auth", "alice:x")
    assert (result, "bob" in text) == ("error", False)


def test_a_service_without_a_query_is_an_error(path: Path) -> None:
    some = table(path, f"query_alias {LOOKUP}")
    conf = path.with_suffix(".conf")
    assert ask(some, "lookup", "domain", "x") == ("error", f"{conf}: no query_domain")
    assert ask(some, "check", "domain", "x") == ("error", f"{conf}: no query_domain")
    assert ask(some, "fetch", "source") == ("error", f"{conf}: no fetch_source")
    assert ask(some, "fetch", "alias") == ("error", f"{conf}: no fetch_alias")
    assert ask(some, "lookup", "alias", "alice") == ("found", "bob")


@pytest.mark.parametrize("service", ["alias", "mailaddrmap"])
def test_all_rows_of_a_list_are_one_value(path: Path, service: str) -> None:
    write(path, "INSERT INTO rows VALUES ('alice', NULL), ('alice', 'carol'), ('alice', '')")
    write(path, "INSERT INTO rows VALUES ('alice', 7), ('none', NULL), ('none', '')")
    some = table(path)
    assert ask(some, "lookup", service, "alice") == ("found", "bob, carol, 7")
    assert ask(some, "lookup", service, "none") == ("not-found", "")
    assert ask(some, "check", service, "none") == ("found", "")
    assert ask(some, "lookup", "string", "alice") == ("found", "bob")


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("NULL", ("not-found", "")),
        ("''", ("not-found", "")),
        ("X''", ("not-found", "")),
        ("0", ("found", "0")),
        ("-7", ("found", "-7")),
        ("9223372036854775807", ("found", "9223372036854775807")),
        ("1.5", ("found", "1.5")),
        ("2.0", ("found", "2.0")),
        ("1.0 / 3", ("found", "0.333333333333333")),
        ("1e100", ("found", "1.0e+100")),
        ("-2.5e-7", ("found", "-2.5e-07")),
        ("9e999", ("found", "Inf")),
        ("-9e999", ("found", "-Inf")),
        ("X'616263'", ("found", "abc")),
        ("X'ff'", ("found", "\udcff")),
        ("CAST(X'ff61' AS TEXT)", ("found", "\udcffa")),
        ("'caf\xe9'", ("found", "caf\xe9")),
        ("'a|b'", ("found", "a|b")),
        ("' '", ("found", " ")),
        ("'a' || char(10) || 'b'", ("error", "the value holds a line end or a NUL")),
        ("'a' || char(13)", ("error", "the value holds a line end or a NUL")),
        ("X'6100'", ("error", "the value holds a line end or a NUL")),
        ("replace(hex(zeroblob(1023)), '0', 'x') || 'x'", ("found", "x" * 2047)),
        (
            "replace(hex(zeroblob(1024)), '0', 'x')",
            ("error", "the value has 2048 bytes, and smtpd takes 2047"),
        ),
    ],
)
@pytest.mark.parametrize("service", ["string", "alias"])
def test_cells(path: Path, service: str, cell: str, said: tuple[str, str]) -> None:
    write(path, f"INSERT INTO rows VALUES ('x', {cell})")
    assert ask(table(path), "lookup", service, "x") == said
    assert ask(table(path), "check", service, "x") == ("found", "")


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ("1000, 100, '/home/x'", ("found", "1000:100:/home/x")),
        ("'1000', X'313030', '/home/x'", ("found", "1000:100:/home/x")),
        ("'root', 100, '/home/x'", ("error", "a uid that is no number")),
        ("1000, 'users', '/home/x'", ("error", "a gid that is no number")),
        ("-1, 100, '/home/x'", ("error", "a uid that is no number")),
        ("'\u0661', 100, '/home/x'", ("error", "a uid that is no number")),
        ("NULL, 100, '/home/x'", ("not-found", "")),
        ("1000, 100, ''", ("not-found", "")),
    ],
)
def test_users(path: Path, cells: str, said: tuple[str, str]) -> None:
    write(path, f"INSERT INTO users VALUES ('x', {cells})")
    assert ask(table(path), "lookup", "userinfo", "x") == said


@pytest.mark.parametrize("cells", ["NULL, 'x'", "'x', NULL", "'', 'x'", "'x', ''"])
def test_half_of_a_pair_is_none(path: Path, cells: str) -> None:
    some = table(path, f"query_credentials SELECT {cells} WHERE ? = 'x'")
    assert ask(some, "lookup", "credentials", "x") == ("not-found", "")
    assert ask(some, "check", "credentials", "x") == ("found", "")


@pytest.mark.parametrize("key", ["a|b", "'; DROP TABLE rows; --", "x" * 1023, "\udcff", "?", ""])
def test_any_key(path: Path, key: str) -> None:
    some = table(path)
    put(path, **{key.lower(): "found it"} if key != "\udcff" else {})
    expected = ("not-found", "") if key == "\udcff" else ("found", "found it")
    assert ask(some, "lookup", "alias", key) == expected
    assert ask(some, "lookup", "alias", "alice") == ("found", "bob")


def test_a_table_that_grew_or_shrank(path: Path) -> None:
    write(path, "CREATE TABLE pairs (user, hash)", "INSERT INTO pairs VALUES ('x', 'y')")
    some = table(path, "query_credentials SELECT * FROM pairs WHERE ? = user")
    write(path, "ALTER TABLE pairs ADD COLUMN more DEFAULT 'z'")
    assert ask(some, "lookup", "credentials", "x") == ("found", "x:y")
    write(path, "ALTER TABLE pairs DROP COLUMN more", "ALTER TABLE pairs DROP COLUMN hash")
    assert ask(some, "lookup", "credentials", "x") == (
        "error",
        "query_credentials gives 1 columns and should give 2",
    )


GONE = "No such file or directory; make it, or correct dbpath"

# --- at start -------------------------------------------------------------------------------------


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize(
    ("line", "number"),
    [
        ("query_domain SELECT", 4),
        ("query_domain SELECT 1, 2", 4),
        ("busy_timeout x", 4),
        ("patterns_regex SELECT key FROM rows WHERE key = ?", 4),
    ],
)
def test_a_configuration_that_cannot_be_used(
    path: Path, line: str, number: int, check: bool
) -> None:
    with pytest.raises(ConfigError) as caught:
        table(path, f"query_alias {LOOKUP}", line, check=check)
    assert str(caught.value).startswith(f"{path.with_suffix('.conf')}:{number}: ")


def test_a_database_that_is_not_there_yet(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "later.db"
    some = table(path, f"query_alias {LOOKUP}")
    assert capfd.readouterr().err == (f'database-unavailable reason="{path}: {GONE}"\n')
    for _ in range(2):
        assert ask(some, "lookup", "alias", "alice") == (
            "error",
            f"{path}: {GONE}",
        )
    create(path, alice="bob")
    assert ask(some, "lookup", "alias", "alice") == ("found", "bob")
    path.unlink()
    with pytest.raises(ConfigError) as caught:
        table(path, f"query_alias {LOOKUP}", check=True)
    assert str(caught.value) == (f"{path.with_suffix('.conf')}:1: {path}: {GONE}")


def test_a_statement_that_turns_out_to_be_wrong_later(tmp_path: Path) -> None:
    path = tmp_path / "later.db"
    some = table(path, "query_alias SELECT bogus FROM rows WHERE key = ?")
    create(path, alice="bob")
    result, reason = ask(some, "lookup", "alias", "alice")
    assert result == "error"
    assert reason.startswith(f"{path.with_suffix('.conf')}:3: query_alias: no such column: bogus")


def test_a_database_that_is_locked_at_start(path: Path) -> None:
    with locked(path):
        some = table(path)
    assert ask(some, "lookup", "alias", "alice") == ("found", "bob")


# --- faults that may be the database's: smtpd starts ----------------------------------------------


def break_the_schema(path: Path) -> None:
    """Write bytes into an entry of the schema that are no UTF-8."""
    write(path, "CREATE VIEW broken AS SELECT 1")
    write(
        path,
        "PRAGMA writable_schema = 1",
        "UPDATE sqlite_master SET sql = CAST(x'435245415445205649455720ff20ff20ff' AS TEXT)"
        " WHERE name = 'broken'",
    )


def replace_by_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def replace_by_a_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


SPOILERS: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "a schema that is no UTF-8": (
        break_the_schema,
        "database-unavailable reason=",
        "its schema is no UTF-8; put a backup in its place",
    ),
    "a table that is gone": (
        lambda path: write(path, "ALTER TABLE rows RENAME TO others"),
        "query-unusable reason=",
        "no such table: rows",
    ),
    "a column that is gone": (
        lambda path: write(path, "ALTER TABLE rows RENAME COLUMN value TO other"),
        "query-unusable reason=",
        "no such column: value",
    ),
    "no database": (
        lambda path: path.write_bytes(b"no database at all" * 100),
        "database-unavailable reason=",
        "file is not a database; correct dbpath, or put a backup in its place",
    ),
    "pages that are none": (
        lambda path: path.write_bytes(path.read_bytes()[:100] + b"\xff" * 30_000),
        "database-unavailable reason=",
        "database disk image is malformed; put a backup in its place",
    ),
    "an empty file": (
        lambda path: path.write_bytes(b""),
        "query-unusable reason=",
        "no such table: rows",
    ),
    "a directory": (
        replace_by_a_folder,
        "database-unavailable reason=",
        "a directory, not a regular file; name a regular file",
    ),
    "a FIFO": (
        replace_by_a_fifo,
        "database-unavailable reason=",
        "a FIFO, not a regular file; name a regular file",
    ),
}


@pytest.mark.parametrize(("spoil", "event", "text"), SPOILERS.values(), ids=SPOILERS)
def test_a_database_that_is_spoilt_at_start(
    path: Path,
    spoil: Callable[[Path], object],
    event: str,
    text: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    good = path.read_bytes()
    spoil(path)
    lines = (f"query_alias {LOOKUP}", "query_string SELECT 'x' WHERE ?")
    some = table(path, *lines)
    logged = capfd.readouterr().err.splitlines()
    assert len(logged) == 1
    assert logged[0].startswith(event)
    assert text in logged[0]
    assert ask(some, "lookup", "alias", "alice").result == "error"
    with pytest.raises(ConfigError) as caught:
        table(path, *lines, check=True)
    assert text in str(caught.value)
    assert str(caught.value).startswith(f"{path.with_suffix('.conf')}:")
    if path.is_dir():
        path.rmdir()
    elif not path.is_file():
        path.unlink()
    path.write_bytes(good)
    assert ask(some, "lookup", "alias", "alice") == ("found", "bob")


def test_a_query_without_its_key(path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Mail of everybody would go to bob, or to nobody at all."""
    lines = ("query_alias SELECT value FROM rows WHERE key <> '?'", f"query_domain {LOOKUP}")
    some = table(path, *lines)
    said = (
        f"{path.with_suffix('.conf')}:3: query_alias: it never uses the key, so all keys have one"
        " answer; put ? where the key belongs, or say 'constant_alias yes'"
    )
    assert capfd.readouterr().err == f'query-unusable reason="{said}"\n'
    assert ask(some, "lookup", "alias", "carol") == ("error", said[:200])
    assert ask(some, "check", "domain", "alice") == ("found", "")
    with pytest.raises(ConfigError) as caught:
        table(path, *lines, check=True)
    assert str(caught.value) == said
    assert ask(some, "update") == ("error", said[:200])
    allowed = table(path, *lines, "constant_alias yes", check=True)
    assert ask(allowed, "lookup", "alias", "carol") == ("found", "bob")
