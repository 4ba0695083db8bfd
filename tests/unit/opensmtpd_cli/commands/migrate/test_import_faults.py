"""``opensmtpd-plugins import`` where something is wrong: all of it is done, or nothing."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from opensmtpd.errors import ConfigError
from opensmtpd.table import file
from opensmtpd_cli.commands.migrate import import_
from opensmtpd_cli.database import schema
from unit.support.swap import Program, guide, listing, rows, smtpd_conf


def test_errors_are_all_shown_and_nothing_is_written(run: Program, mail: Path, db: Path) -> None:
    (mail / "aliases").write_text('a: b\nb\n[c\nd: "e\nf: g\n\n\0\nh i j\n', encoding="ascii")
    text = f"""\
table aliases file:{mail}/aliases
table hosts {{
    10.0.0.1
    10.0.0.300
}}
table base {{ a = "x:1:/" }}
table gone file:{mail}/gone
table l {{ a }}
action "a" mbox alias <aliases> userbase <base>
action "r" relay src <hosts> helo-src <l>
"""
    conf = smtpd_conf(mail, text)
    said = run("import", conf, db)
    assert (said.status, said.out) == (1, "")
    assert (
        said.err
        == f"""\
{mail}/aliases:2: a row without a value in a mapping; write "key: value", or put "# @list" above \
the rows of a list
{mail}/aliases:3: a "[" without its "]"; close the bracket behind the address
{mail}/aliases:4: d: a quote that does not end
{mail}/aliases:7: a NUL byte; table files are text: remove it
{mail}/aliases:8: h: 'i j' is no address, user, file, program or error text
{conf}:4: 10.0.0.300: '10.0.0.300' is no address
{conf}:6: a: no uid:gid:home with numbers for uid and gid
{mail}/gone: No such file or directory; make it a file that smtpd's user can read
{conf}:8: table l is a list; 'action helo-src' wants keys with values
opensmtpd-plugins: {conf}: nothing was written (errors: 9); mend the lines above
"""
    )
    assert listing(db.parent) == {}


def test_many_errors_and_warnings_are_counted(run: Program, mail: Path, db: Path) -> None:
    lines = ["a: |/bin/x"] * 55 + [f'e{number}: "' for number in range(1060)]
    (mail / "t").write_text("\n".join(lines), encoding="ascii")
    conf = smtpd_conf(mail, f'table t file:{mail}/t\naction "a" mbox alias <t>\n')
    *shown, last = run("import", conf, db).err.splitlines()
    assert shown[:2] == [
        f"{mail}/t:1: warning: a runs a program for each mail, as the user: whoever may write to"
        " the database may run what he likes",
        f"{mail}/t:2: warning: a runs a program for each mail, as the user: whoever may write to"
        " the database may run what he likes",
    ]
    assert shown[-3:] == [
        f"{mail}/t:105: e49: a quote that does not end",
        "... and 1,010 more errors",
        "... and 59 more warnings",  # 55 programs, and 54 rows of the same key
    ]
    assert len(shown) == 102
    assert "nothing was written (errors: 1,060)" in last


def test_warnings_do_not_stop_it(run: Program, mail: Path, db: Path) -> None:
    (mail / "t").write_bytes(b"A: b\nc: |/bin/x\na: d@e_f\n\xff: x\n")
    conf = smtpd_conf(mail, f'table t file:{mail}/t\naction "a" mbox alias <t>\n')
    said = run("--quiet", "import", conf, db)
    assert said.status == 0
    assert said.err.splitlines()[:4] == [
        f"{mail}/t:2: warning: c runs a program for each mail, as the user: whoever may write to"
        " the database may run what he likes",
        f"{mail}/t:3: warning: smtpd reads d@e_f as the user d: it does not know such a domain",
        f"{mail}/t:3: warning: a is there already: this row counts and that one does not, as in"
        " smtpd",
        f"{mail}/t:4: warning: a key that is not UTF-8: our table-sqlite does not find it",
    ]
    assert rows(db, "t") == [("a", "d@e_f"), ("c", "|/bin/x"), ("\udcff", "x")]


@pytest.mark.parametrize(
    ("name", "precious"),
    [("smtpd.sqlite", b""), ("users.conf", b"precious")],
)
def test_what_exists_is_replaced_with_force_only(
    run: Program, mail: Path, db: Path, name: str, precious: bytes
) -> None:
    conf = guide(mail)
    there = db.parent / name
    there.write_bytes(precious)
    said = run("import", conf, db)
    assert said.status == 1
    remedy = "remove it, choose another place, or replace it with --force"
    assert said.err == f"opensmtpd-plugins: {there}: is there already; {remedy}\n"
    assert listing(db.parent) == {name: precious}
    assert run("import", "--force", conf, db).status == 0
    assert len(listing(db.parent)) == 6
    assert rows(db, "users") == [("alice", "alice@example.com")]


def test_a_dangling_link_is_something_that_exists(run: Program, mail: Path, db: Path) -> None:
    db.symlink_to(mail / "elsewhere")
    assert "is there already" in run("import", guide(mail), db).err


def test_configuration_files_elsewhere(run: Program, mail: Path, db: Path) -> None:
    other = mail.parent / "conf"
    other.mkdir()
    said = run("import", "--config-dir", other, guide(mail), db)
    assert f"+table users sqlite:{other}/users.conf\n" in said.out
    assert sorted(listing(db.parent)) == ["smtpd.sqlite"]
    assert (other / "users.conf").read_text(encoding="ascii").splitlines()[1] == f"dbpath {db}"


@pytest.mark.parametrize("options", [[], ["--config-dir", "/nowhere/at/all"]])
def test_a_directory_that_is_not_there(
    run: Program, mail: Path, tmp_path: Path, options: list[str]
) -> None:
    place = tmp_path / "none" / "db" if not options else tmp_path / "db" / "db"
    said = run("import", *options, guide(mail), place)
    assert said.status == 1
    assert "there is no such directory" in said.err
    assert listing(tmp_path / "db") == {}


@pytest.mark.parametrize("suffix", ["-journal", "-wal", "-shm"])
def test_what_an_old_database_left(run: Program, mail: Path, db: Path, suffix: str) -> None:
    """SQLite would play it into the new database."""
    left = Path(f"{db}{suffix}")
    left.write_bytes(b"x")
    said = run("import", "--force", guide(mail), db)
    assert said.status == 1
    assert f"{left}: belongs to a database of this name" in said.err
    assert listing(db.parent) == {left.name: b"x"}


def test_a_database_called_as_a_configuration_file(run: Program, mail: Path, db: Path) -> None:
    said = run("import", guide(mail), db.parent / "users.conf")
    assert said.status == 1
    assert f"{db.parent}/users.conf: two files would be called so; rename one" in said.err
    assert listing(db.parent) == {}


@pytest.mark.parametrize("name", ["smtpd", "t"])
def test_files_that_smtpd_needs_are_spared(run: Program, mail: Path, name: str) -> None:
    (mail / "t.conf").write_text("a\n", encoding="ascii")
    conf = smtpd_conf(mail, f"table {name} file:{mail}/t.conf\n")
    before = listing(mail)
    said = run("import", "--force", conf, mail / "db")
    assert said.status == 1
    assert f"{mail}/{name}.conf: smtpd.conf needs this file as it is" in said.err
    assert listing(mail) == before
    assert "needs this file as it is" in run("import", "--force", conf, conf).err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("table Users { a }\ntable users { b }", "2: table users: SQLite would take its name for"),
        ("table smtpd_tables { a }", "1: table smtpd_tables: SQLite would take its name for"),
        ("table sqlite_x { a }", "1: table sqlite_x: SQLite would take its name for"),
        ('table "a/b" { a }', "table a/b: there can be no file of this name"),
        ('table ".a" { a }', "table .a: there can be no file of this name"),
        ('table "\x7f" { a }', "table \\x7f: there can be no file of this name"),
        ('table "a\\b" { a }', "smtpd.conf has no way to write"),
        ("table t sqlite:/x", "there is no file: or inline table to import"),
        ("action x", "there is no file: or inline table to import"),
        ('table t {\n"a', "2: a string that begins with"),
    ],
)
def test_configurations_that_cannot_be_swapped(
    run: Program, mail: Path, db: Path, text: str, message: str
) -> None:
    said = run("import", smtpd_conf(mail, text), db)
    assert said.status == 1
    assert message in said.err
    assert said.err.count("\n") == 1
    assert listing(db.parent) == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            'table t { a = b }\naction "a" mbox alias <t> userbase <t>',
            "1: table t is used for 'action alias' and for 'action userbase', whose rows differ;"
            " make a table for each",
        ),
        (
            "table t { a = b }\nmatch for domain <t> reject",
            "1: table t is a mapping; 'match domain' wants keys alone",
        ),
    ],
)
def test_uses_that_do_not_fit(run: Program, mail: Path, db: Path, text: str, message: str) -> None:
    conf = smtpd_conf(mail, text)
    said = run("import", conf, db)
    assert said.status == 1
    assert said.err.splitlines()[0] == f"{conf}:{message}"


def test_nothing_is_left_where_a_file_cannot_get_its_name(
    run: Program, mail: Path, db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = os.link

    def some(old: str, new: str) -> None:
        if new.endswith("hosts.conf"):
            raise OSError(28, "No space left on device")
        link(old, new)

    monkeypatch.setattr(os, "link", some)
    said = run("import", guide(mail), db)
    assert (said.status, said.out) == (1, "")
    assert said.err == f"opensmtpd-plugins: {db.parent}/hosts.conf: No space left on device\n"
    assert listing(db.parent) == {}


def test_nothing_is_left_by_an_interrupt(
    run: Program, mail: Path, db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(import_, "fill", interrupt)
    assert run("import", guide(mail), db).status == 1
    assert listing(db.parent) == {}


def test_the_progress_bar_changes_nothing(
    run: Program, mail: Path, db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_, "progress_wanted", lambda: True)
    monkeypatch.setattr(import_, "_LONG", 4)
    assert run("import", guide(mail), db).status == 0
    assert rows(db, "hosts") == [("192.168.1.1",), ("2001:db8::",)]


LINES = st.lists(st.text(" \t:#[]aB1@,\\\"'|/\r\x0b\x00\udcffé*.", max_size=12), max_size=8).map(
    "\n".join
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(LINES, st.sampled_from(['action "a" mbox alias <t>', "listen on lo auth <t>", ""]))
@example("a: b\nA: c", "")
def test_any_file_is_imported_as_smtpd_reads_it_or_refused(
    run: Program, mail: Path, db: Path, text: str, use: str
) -> None:
    path = mail / "t"
    path.write_bytes(schema.encoded(text))
    conf = smtpd_conf(mail, f"table t file:{path}\n{use}\n")
    said = run("import", "--force", conf, db)
    try:
        read = {row.key: row.value for row in file.TableFile(file.lines(str(path)), "")}
    except ConfigError:
        assert said.status == 1
        return
    if said.status == 0:
        found = {str(key): ":".join(map(str, rest)) or None for key, *rest in rows(db, "t")}
        plain = {
            key: f"{key}:{value}" if "auth" in use and ":" not in str(value) else value
            for key, value in read.items()
        }
        assert found == plain
