"""``user``, ``alias`` and ``domain``: what is in the database afterwards, and what is said."""

import sqlite3
from functools import partial
from pathlib import Path

import pytest
from click import Command
from click.testing import CliRunner, Result

from opensmtpd.errors import ConfigError
from opensmtpd.table import Service
from opensmtpd_cli.commands.accounts.command import alias, domain, user
from opensmtpd_cli.database import rows, schema
from opensmtpd_cli.database.schema import CatalogueEntry
from opensmtpd_cli.smtpdconf.row_kinds import RowKind

TABLES = (
    CatalogueEntry("aliases", RowKind.MAPPING, (Service.ALIAS,)),
    CatalogueEntry("domains", RowKind.LIST, (Service.DOMAIN,)),
    CatalogueEntry("logins", RowKind.CREDENTIALS, (Service.CREDENTIALS,)),
    CatalogueEntry("hosts", RowKind.LIST, ()),
)


@pytest.fixture(autouse=True)
def quick_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "opensmtpd.table.passwords.encrypt", lambda password: f"$x${password[::-1]}"
    )


def make(path: Path, *entries: CatalogueEntry) -> str:
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA synchronous = OFF")
    db.execute("BEGIN")
    schema.create(db, entries)
    db.execute("COMMIT")
    db.close()
    return str(path)


@pytest.fixture
def database(tmp_path: Path) -> str:
    return make(tmp_path / "mail.db", *TABLES)


def run(command: Command, *argv: str, stdin: str | bytes = "") -> Result:
    return CliRunner().invoke(command, list(argv), input=stdin)


def done(command: Command, *argv: str, stdin: str | bytes = "") -> str:
    result = run(command, *argv, stdin=stdin)
    assert (result.exit_code, result.exception) == (0, None), result.output
    return result.output


def refused(command: Command, *argv: str, stdin: str | bytes = "") -> str:
    result = run(command, *argv, stdin=stdin)
    assert isinstance(result.exception, ConfigError), result.output
    return str(result.exception)


def content(database: str, table: str) -> list[tuple[object, ...]]:
    db = sqlite3.connect(database)
    try:
        return db.execute(f"SELECT * FROM {table}").fetchall()
    finally:
        db.close()


def dump(database: str) -> list[str]:
    db = sqlite3.connect(database)
    try:
        return list(db.iterdump())
    finally:
        db.close()


# --- users ------------------------------------------------------------------------------------


def test_add_a_user(database: str) -> None:
    assert done(user, "add", database, "Alice", stdin="Secret\n") == "added alice to logins\n"
    assert content(database, "logins") == [("alice", "alice", "$x$terceS")]


def test_a_user_who_is_there(database: str) -> None:
    done(user, "add", database, "alice", stdin="one\n")
    before = dump(database)
    reason = f"{database}: alice is in logins already"
    assert refused(user, "add", database, "ALICE", stdin="two\n") == reason
    assert dump(database) == before


def test_change_a_password(database: str) -> None:
    done(user, "add", database, "alice", stdin="one\n")
    done(user, "add", database, "bob", stdin="one\n")
    said = done(user, "passwd", database, "Alice", stdin="two\n")
    assert said == "changed the password of alice in logins\n"
    assert content(database, "logins") == [("alice", "alice", "$x$owt"), ("bob", "bob", "$x$eno")]


def test_the_password_of_nobody(database: str) -> None:
    reason = f"{database}: alice is not in logins"
    assert refused(user, "passwd", database, "alice", stdin="two\n") == reason
    assert content(database, "logins") == []


def test_no_password(database: str) -> None:
    result = run(user, "add", database, "alice")
    assert result.exit_code == 2
    assert "there is no password on standard input" in result.output
    assert content(database, "logins") == []


def test_a_user_with_a_home(database: str, tmp_path: Path) -> None:
    """There is no table for that yet."""
    where = ("--uid", "1000", "--gid", "100", "--home", "/home/alice")
    said = done(user, "add", database, "Alice", *where, stdin="one\n")
    assert said == (f"table userinfo sqlite:{tmp_path}/userinfo.conf\nadded alice to logins\n")
    assert content(database, "userinfo") == [("alice", 1000, 100, "/home/alice")]
    assert ("userinfo", "userinfo", "userinfo") in content(database, "smtpd_tables")
    text = (tmp_path / "userinfo.conf").read_text()
    assert f"dbpath {database}\n" in text
    assert 'query_userinfo SELECT uid, gid, home FROM "userinfo" WHERE key = ?\n' in text
    said = done(user, "add", database, "bob", *where, stdin="one\n")
    assert said == "added bob to logins\n"
    assert len(content(database, "userinfo")) == 2


def test_remove_a_user(database: str) -> None:
    where = ("--uid", "1000", "--gid", "100", "--home", "/home/alice")
    done(user, "add", database, "alice", *where, stdin="one\n")
    assert done(user, "remove", database, "Alice") == "removed alice from logins, userinfo\n"
    assert content(database, "logins") == content(database, "userinfo") == []
    assert refused(user, "remove", database, "alice") == f"{database}: alice is not in logins"


def test_list_users(database: str) -> None:
    done(user, "add", database, "bob", stdin="one\n")
    done(user, "add", database, "alice", stdin="one\n")
    assert done(user, "list", database) == "alice\nbob\n"
    where = ("--uid", "7", "--gid", "8", "--home", "/home/carol")
    done(user, "add", database, "carol", *where, stdin="one\n")
    assert done(user, "list", database) == "alice\nbob\ncarol\t7\t8\t/home/carol\n"


@pytest.mark.parametrize("where", [["--uid", "1"], ["--uid", "1", "--gid", "1"], ["--home", "/"]])
def test_half_a_place(database: str, where: list[str]) -> None:
    result = run(user, "add", database, "alice", *where, stdin="one\n")
    assert "--uid, --gid and --home go together" in result.output
    assert result.exit_code == 2


def test_the_first_user_of_a_database(tmp_path: Path) -> None:
    database = make(tmp_path / "mail.db")
    said = done(user, "add", database, "alice", stdin="one\n")
    assert said == (
        f"table credentials sqlite:{tmp_path}/credentials.conf\nadded alice to credentials\n"
    )
    assert content(database, "smtpd_tables") == [("credentials", "credentials", "credentials")]
    assert content(database, "credentials") == [("alice", "alice", "$x$eno")]
    text = (tmp_path / "credentials.conf").read_text()
    assert 'query_credentials SELECT user, password FROM "credentials" WHERE key = ?\n' in text
    assert (tmp_path / "credentials.conf").stat().st_mode & 0o777 == 0o644


def test_a_configuration_file_is_not_replaced(tmp_path: Path) -> None:
    database = make(tmp_path / "mail.db")
    (tmp_path / "credentials.conf").write_text("mine")
    before = dump(database)
    reason = refused(user, "add", database, "alice", stdin="one\n")
    assert reason.startswith(f"{tmp_path}/credentials.conf: is there already; ")
    assert dump(database) == before
    assert (tmp_path / "credentials.conf").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["credentials.conf", "mail.db"]


def test_nothing_is_left_of_what_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = make(tmp_path / "mail.db")
    before = dump(database)

    def insert(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(rows, "insert", insert)
    reason = refused(user, "add", database, "alice", stdin="one\n")
    assert reason == f"{database}: nothing was done: database or disk is full"
    assert dump(database) == before
    assert [path.name for path in tmp_path.iterdir()] == ["mail.db"]


def test_a_commit_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The configuration file has its name already, and must go again."""
    database = make(tmp_path / "mail.db")

    class Full(sqlite3.Connection):
        def execute(self, sql: str, *rest: object) -> sqlite3.Cursor:
            if sql == "COMMIT" and self.total_changes:
                raise sqlite3.OperationalError("disk I/O error")
            return super().execute(sql, *rest)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr("sqlite3.connect", partial(sqlite3.connect, factory=Full))
        reason = refused(user, "add", database, "alice", stdin="one\n")
    assert reason == f"{database}: nothing was done: disk I/O error"
    assert content(database, "smtpd_tables") == []
    assert [path.name for path in tmp_path.iterdir()] == ["mail.db"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("a:b", "'a:b' holds a colon, which ends the name in smtpd's user:password"),
        ("", "'' is empty"),
        ("a b", "'a b' holds white space or what does not print"),
        ("a\n", "'a\\n' holds white space or what does not print"),
        ("a" * 256, f"'{'a' * 80}' has more than 255 bytes"),
    ],
)
def test_names_of_users(database: str, name: str, reason: str) -> None:
    said = refused(user, "add", database, name, stdin="one\n")
    assert said == f"the user name {reason}"
    assert content(database, "logins") == []


@pytest.mark.parametrize("home", ["home", "", "/a\nb", "/" + "a" * 2048])
def test_homes(database: str, home: str) -> None:
    where = ("--uid", "1", "--gid", "1", "--home", home)
    assert "is no path of a directory" in refused(user, "add", database, "a", *where, stdin="x")


def test_passwords_are_not_said(database: str) -> None:
    for argv in (("add", database, "alice"), ("passwd", database, "alice"), ("list", database)):
        said = done(user, *argv, stdin="Secret\n")
        assert "Secret" not in said
        assert "$x$" not in said


def test_a_password_that_is_no_utf_8(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[str] = []

    def encrypt(password: str) -> str:
        given.append(password)
        return "$x$hash"

    monkeypatch.setattr("opensmtpd.table.passwords.encrypt", encrypt)
    done(user, "add", database, "alice", stdin=b"p\xe4ss\r\n")
    assert given == ["p\udce4ss"]


# --- aliases ----------------------------------------------------------------------------------


def test_add_aliases(database: str) -> None:
    assert done(alias, "add", database, "Info", "Bob") == "added info to aliases\n"
    done(alias, "add", database, "Sales@Example.org", "carol", "dave@example.com")
    done(alias, "add", database, "@example.org", "error:550 gone")
    done(alias, "add", database, "@", "root")
    said = done(alias, "list", database)
    assert said == (
        "@\troot\n@example.org\terror:550 gone\ninfo\tBob\n"
        "sales@example.org\tcarol, dave@example.com\n"
    )


def test_remove_an_alias(database: str) -> None:
    done(alias, "add", database, "info", "bob")
    assert done(alias, "remove", database, "INFO") == "removed info from aliases\n"
    assert refused(alias, "remove", database, "info") == f"{database}: info is not in aliases"


def test_an_alias_that_is_there(database: str) -> None:
    done(alias, "add", database, "info", "bob")
    assert refused(alias, "add", database, "Info", "eve") == "info is in aliases already"
    assert content(database, "aliases") == [("info", "bob")]


@pytest.mark.parametrize(
    ("name", "destinations", "reason"),
    [
        ("info", ["two words"], "smtpd could not read this: 'two words' is no address, user"),
        ("info", ["it's"], "smtpd could not read this: a quote that does not end"),
        ("info", ["x@example.org"] * 200, "smtpd could not read this: 2998 bytes, and smtpd takes"),
        ("info", [" , "], "an alias without a destination"),
        ("info", ["|/a\nb"], "a destination holds what does not print"),
        (
            "info",
            ["bob@exa_mple.org"],
            "smtpd would deliver 'bob@exa_mple.org' to the user bob, for the domain holds",
        ),
        (
            "info",
            ["bob", "|/bin/prog"],
            "'|/bin/prog' is a program, which smtpd runs for each mail, as the user; give --force",
        ),
        ("info", ['"|/bin/prog a"'], """'"|/bin/prog a"' is a program"""),
        ("", ["bob"], "the alias '' is empty"),
        ("a b", ["bob"], "the alias 'a b' holds what smtpd accepts in no address"),
        ("ü", ["bob"], "the alias 'ü' holds what smtpd accepts in no address"),
        ("a@b@c", ["bob"], "the alias 'a@b@c' holds what smtpd accepts in no address"),
        ("a" * 256, ["bob"], f"the alias '{'a' * 80}' has more than 255 bytes before the @"),
        ("a@*.org", ["bob"], "the alias 'a@*.org' has a pattern for a domain, which smtpd would"),
        ("a@b..c", ["bob"], "'b..c' is no domain name"),
    ],
)
def test_what_is_no_alias(database: str, name: str, destinations: list[str], reason: str) -> None:
    assert refused(alias, "add", database, name, *destinations).startswith(reason)
    assert content(database, "aliases") == []


def test_a_program_that_is_meant(database: str) -> None:
    done(alias, "add", database, "info", '"|/bin/prog a, b"', "--force")
    assert content(database, "aliases") == [("info", '"|/bin/prog a, b"')]


# --- domains ----------------------------------------------------------------------------------


def test_domains(database: str) -> None:
    assert done(domain, "add", database, "Example.org") == "added example.org to domains\n"
    done(domain, "add", database, "*.example.org")
    done(domain, "add", database, "[192.0.2.1]")
    done(domain, "add", database, "[IPv6:2001:db8::1]")
    said = done(domain, "list", database)
    assert said == "*.example.org\n[192.0.2.1]\n[ipv6:2001:db8::1]\nexample.org\n"
    assert done(domain, "remove", database, "EXAMPLE.org") == "removed example.org from domains\n"
    reason = f"{database}: example.org is not in domains"
    assert refused(domain, "remove", database, "example.org") == reason


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "'' is no domain name"),
        ("a b", "'a b' is no domain name"),
        ("a..b", "'a..b' is no domain name"),
        ("@example.org", "'@example.org' is no domain name"),
        ("example.org.", "'example.org.' ends in a dot"),
        ("a" * 64 + ".org", f"'{'a' * 64}.org' is no domain name"),
        ("a." * 127 + "org", f"'{'a.' * 40}' has more than 253 bytes"),
        ("bücher.example", "'bücher.example' is not ASCII: give it as it stands in the DNS"),
        ("[192.0.2]", "'[192.0.2]' is no address"),
        ("a\n", "'a\\n' is no domain name"),
    ],
)
def test_what_is_no_domain(database: str, name: str, reason: str) -> None:
    assert refused(domain, "add", database, name).startswith(reason)
    assert content(database, "domains") == []


# --- which table ------------------------------------------------------------------------------


def test_a_choice_of_tables(tmp_path: Path) -> None:
    database = make(
        tmp_path / "mail.db",
        CatalogueEntry("aliases", RowKind.MAPPING, (Service.ALIAS,)),
        CatalogueEntry("virtual", RowKind.MAPPING, (Service.ALIAS,)),
        CatalogueEntry("unused", RowKind.MAPPING),
    )
    reason = "more than one table has the service alias: aliases, virtual; choose with --table"
    assert refused(alias, "add", database, "info", "bob") == reason
    assert refused(alias, "list", database) == reason
    done(alias, "add", database, "info", "bob", "--table", "virtual")
    done(alias, "add", database, "info", "eve", "--table", "unused")
    assert content(database, "virtual") == [("info", "bob")]
    assert content(database, "unused") == [("info", "eve")]
    assert content(database, "aliases") == []


def test_a_table_that_does_not_fit(database: str) -> None:
    for name in ("domains", "nosuch", "smtpd_tables"):
        reason = refused(alias, "list", database, "--table", name)
        assert reason == f"there is no table {name} with rows of the kind mapping"


@pytest.mark.parametrize(("command", "service"), [(alias, "alias"), (domain, "domain")])
def test_no_table(tmp_path: Path, command: Command, service: str) -> None:
    database = make(tmp_path / "mail.db")
    reason = f"{database}: no table has the service {service}; name a table with --table"
    assert refused(command, "list", database) == reason


def test_a_name_that_is_taken(tmp_path: Path) -> None:
    """A table that is called credentials, but is none."""
    database = make(
        tmp_path / "mail.db", CatalogueEntry("Credentials", RowKind.MAPPING, (Service.ALIAS,))
    )
    reason = refused(user, "add", database, "alice", stdin="one\n")
    assert "no table has the service credentials, and that called so is for another" in reason


# --- what can go wrong with a database --------------------------------------------------------

COMMANDS = [
    (user, ["add", "alice"]),
    (user, ["passwd", "alice"]),
    (user, ["remove", "alice"]),
    (user, ["list"]),
    (alias, ["add", "info", "bob"]),
    (alias, ["remove", "info"]),
    (alias, ["list"]),
    (domain, ["add", "example.org"]),
    (domain, ["remove", "example.org"]),
    (domain, ["list"]),
]


@pytest.mark.parametrize(("command", "argv"), COMMANDS)
def test_no_database(tmp_path: Path, command: Command, argv: list[str]) -> None:
    path = tmp_path / "none.db"
    reason = refused(command, argv[0], str(path), *argv[1:], stdin="one\n")
    assert reason.startswith(f"{path}: there is no such database")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("command", "argv"), COMMANDS)
def test_another_file(tmp_path: Path, command: Command, argv: list[str]) -> None:
    path = tmp_path / "text"
    path.write_text("text" * 1000)
    reason = refused(command, argv[0], str(path), *argv[1:], stdin="one\n")
    assert reason == f"{path}: cannot be read: file is not a database"
    assert path.read_text() == "text" * 1000


@pytest.mark.parametrize(("command", "argv"), COMMANDS)
def test_another_database(tmp_path: Path, command: Command, argv: list[str]) -> None:
    path = tmp_path / "other.db"
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE other (x)")
    db.close()
    before = path.read_bytes()
    reason = refused(command, argv[0], str(path), *argv[1:], stdin="one\n")
    assert reason.startswith(f"{path}: a database with another schema")
    assert path.read_bytes() == before


@pytest.mark.parametrize(("command", "argv"), [each for each in COMMANDS if each[1] != ["list"]])
def test_a_lock(
    database: str, monkeypatch: pytest.MonkeyPatch, command: Command, argv: list[str]
) -> None:
    other = sqlite3.connect(database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    monkeypatch.setattr("sqlite3.connect", partial(sqlite3.connect, timeout=0.01))
    reason = refused(command, argv[0], database, *argv[1:], stdin="one\n")
    other.close()
    assert reason == f"{database}: nothing was done: database is locked"
    assert all(not content(database, entry.name) for entry in TABLES)


def test_a_list_while_another_writes(database: str) -> None:
    done(alias, "add", database, "info", "bob")
    other = sqlite3.connect(database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    other.execute("DELETE FROM aliases")
    assert done(alias, "list", database) == "info\tbob\n"
    other.close()


# --- lists ------------------------------------------------------------------------------------


def test_nothing_reaches_the_terminal_unescaped(database: str) -> None:
    db = sqlite3.connect(database)
    db.execute("INSERT INTO aliases VALUES ('a\tb', CAST(X'1b5b316dff' AS TEXT))")
    db.commit()
    db.close()
    assert done(alias, "list", database) == "a\\tb\t\\x1b[1m\\xff\n"


def test_a_list_on_a_terminal(
    database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    done(alias, "add", database, "info", "/a[bold]")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("TERM", "dumb")
    alias.main(["list", database], standalone_mode=False)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines == [["key", "value"], ["info", "/a[bold]"]]
