"""``opensmtpd-plugins export``, and the way back."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opensmtpd.errors import ConfigError
from opensmtpd.table.file import TableFile
from opensmtpd.table.limits import ID_MAX
from opensmtpd_cli.database import schema
from opensmtpd_cli.database.schema import CatalogueEntry
from opensmtpd_cli.smtpdconf.row_kinds import RowKind
from unit.support.swap import Program, database, guide, listing, rows, smtpd_conf


def test_the_five_tables_of_the_guide(run: Program, mail: Path, db: Path) -> None:
    assert run("import", guide(mail), db).status == 0
    out = mail / "out"
    out.mkdir()
    said = run("export", db, out)
    assert said.status == 0
    assert said.out == "".join(
        f"table {name} file:{out}/{name}\n"
        for name in ("aliases", "domains", "hosts", "relayaddr", "users")
    )
    assert listing(out) == {
        "aliases": b"alice: alice\nroot: alice, alice@mail.example\n",
        "domains": b"*.example.org\nexample.com\n",
        "hosts": b"# @list\n192.168.1.1\n2001:db8::\n",
        "relayaddr": b"# @list\n10.0.0.0/8\n[::1]\n",
        "users": b"alice: alice@example.com\n",
    }
    assert f"aliases: rows: 2, {out}/aliases\n" in said.err


def test_links_are_not_followed(run: Program, mail: Path, db: Path) -> None:
    """A user who may write to the directory could have any file replaced."""
    database(db, CatalogueEntry("a", RowKind.LIST)).close()
    precious = db.parent / "precious"
    precious.write_bytes(b"precious")
    (mail / "a").symlink_to(precious)
    said = run("export", "--force", db, mail)
    assert said.err == (
        f"opensmtpd-plugins: {mail}/a: is no regular file, and is not replaced;"
        " remove it, or choose another place\n"
    )
    assert precious.read_bytes() == b"precious"
    assert (mail / "a").is_symlink()


def test_nothing_reaches_the_terminal_unescaped(run: Program, mail: Path, db: Path) -> None:
    database(db, CatalogueEntry("a\x1b[31m", RowKind.LIST)).close()
    said = run("export", db, mail)
    assert (said.status, said.out, "\x1b" in said.err) == (1, "", False)
    database(db.parent / "plain", CatalogueEntry("a", RowKind.LIST)).close()
    red = mail / "\x1b[31m"
    red.mkdir()
    said = run("export", db.parent / "plain", red)
    assert (said.status, said.out, "\x1b" in said.err) == (1, "", False)
    assert listing(mail) == {}


def test_all_kinds(run: Program, mail: Path, db: Path) -> None:
    connection = database(
        db,
        CatalogueEntry("creds", RowKind.CREDENTIALS),
        CatalogueEntry("base", RowKind.USERINFO),
        CatalogueEntry("empty", RowKind.LIST),
        CatalogueEntry("alias", RowKind.MAPPING),
    )
    connection.execute("INSERT INTO creds VALUES ('alice', 'Alice', '$2b$x:y')")
    connection.execute("INSERT INTO base VALUES ('alice', 1000, 100, '/home/alice')")
    connection.execute("INSERT INTO alias VALUES ('[a b]', ':include:/x')")
    connection.close()
    said = run("--quiet", "export", db, mail)
    assert (said.status, said.err) == (0, "")
    assert listing(mail) == {
        "alias": b"[a b]: :include:/x\n",
        "base": b"alice: 1000:100:/home/alice\n",
        "creds": b"alice: Alice:$2b$x:y\n",
        "empty": b"# @list\n",
    }
    assert said.out.splitlines()[0] == f'table "alias" file:{mail}/alias'


@pytest.mark.parametrize(
    ("kind", "cells"),
    [
        (RowKind.LIST, ("# a",)),
        (RowKind.LIST, (" a",)),
        (RowKind.LIST, ("a\t",)),
        (RowKind.LIST, ("[a",)),
        (RowKind.LIST, ("a\0b",)),
        (RowKind.MAPPING, ("a b", "c")),
        (RowKind.MAPPING, ("a:b", "c")),
        (RowKind.MAPPING, ("#a", "c")),
        (RowKind.MAPPING, ("[a]b", "c")),
        (RowKind.MAPPING, ("a", " c")),
        (RowKind.MAPPING, ("a", "c\r")),
        (RowKind.MAPPING, ("a", "\x0b")),
        (RowKind.CREDENTIALS, ("a", " b", "c")),
        (RowKind.USERINFO, ("a", 1, 2, "/ ")),
    ],
)
def test_rows_that_no_file_can_hold(
    run: Program, mail: Path, db: Path, kind: RowKind, cells: tuple[str | int, ...]
) -> None:
    connection = database(db, CatalogueEntry("t", kind))
    marks = ", ".join("?" * len(cells))
    connection.execute(f"INSERT INTO t VALUES ({marks})", cells)
    connection.close()
    said = run("export", db, mail)
    assert (said.status, said.out) == (1, "")
    assert said.err.splitlines() == [
        f"table t: no table file can hold {cells[0]!r}".replace("\\\\", "\\"),
        f"opensmtpd-plugins: {db}: nothing was written (errors: 1); change or remove these rows",
    ]
    assert listing(mail) == {}


def test_what_exists_is_replaced_with_force_only(run: Program, mail: Path, db: Path) -> None:
    database(db, CatalogueEntry("a", RowKind.LIST), CatalogueEntry("b", RowKind.LIST)).close()
    (mail / "b").write_bytes(b"precious")
    assert run("export", db, mail).err == (
        f"opensmtpd-plugins: {mail}/b: is there already;"
        " remove it, choose another place, or replace it with --force\n"
    )
    assert listing(mail) == {"b": b"precious"}
    assert run("export", "--force", db, mail).status == 0
    assert listing(mail) == {"a": b"# @list\n", "b": b"# @list\n"}


def test_what_cannot_be_exported(run: Program, mail: Path, db: Path) -> None:
    assert "there is no such database" in run("export", db, mail).err
    database(db, CatalogueEntry("a", RowKind.LIST)).close()
    assert run("export", db, mail / "none").err == (
        f"opensmtpd-plugins: {mail}/none: there is no such directory;"
        " make it, or choose another place\n"
    )


def test_a_name_that_is_none_for_a_file(run: Program, mail: Path, db: Path) -> None:
    database(db, CatalogueEntry("a/../../b", RowKind.LIST)).close()
    assert "there can be no file of this name" in run("export", db, mail).err


USES = {
    RowKind.LIST: "match tag <t> reject",
    RowKind.MAPPING: "",
    RowKind.CREDENTIALS: "listen on lo auth <t>",
    RowKind.USERINFO: "action a mbox userbase <t>",
}
TEXT = st.text("ab1#:[]@. \t\x0bé\udcff|,", min_size=1, max_size=6)
ID = st.integers(0, ID_MAX)
ROWS = {
    RowKind.LIST: st.tuples(TEXT),
    RowKind.MAPPING: st.tuples(TEXT, st.text("ab1. \t,é\udcff", min_size=1, max_size=6)),
    RowKind.CREDENTIALS: st.tuples(TEXT, TEXT, TEXT).filter(lambda row: ":" not in row[1]),
    RowKind.USERINFO: st.tuples(TEXT, ID, ID, TEXT),
}


def readable(kind: RowKind, row: tuple[str | int, ...]) -> bool:
    """Say whether a row can stand in a table file, as one that smtpd can use."""
    key, *rest = map(str, row)
    line = f"{key}: {':'.join(rest)}" if rest else f"# @list\n{key}"
    lines = schema.encoded(line).split(b"\n")
    try:
        found = [(row.key, row.value) for row in TableFile(lines, "")]
    except ConfigError:
        return False
    return found == [(key, ":".join(rest) if rest else None)] and (
        kind is not RowKind.USERINFO or ":" not in key
    )


@st.composite
def tables(draw: st.DrawFn) -> tuple[RowKind, list[tuple[str | int, ...]]]:
    kind = draw(st.sampled_from(RowKind))
    found = draw(st.lists(ROWS[kind], unique_by=lambda row: row[0], max_size=5))
    return kind, found


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tables())
def test_the_way_there_and_back(
    run: Program, mail: Path, db: Path, table: tuple[RowKind, list[tuple[str | int, ...]]]
) -> None:
    kind, found = table
    path = db.parent / "first"
    path.unlink(missing_ok=True)
    connection = database(path, CatalogueEntry("t", kind))
    for row in found:
        cells = [schema.encoded(cell) if isinstance(cell, str) else cell for cell in row]
        marks = ", ".join("?" if isinstance(cell, int) else "CAST(? AS TEXT)" for cell in cells)
        connection.execute(f"INSERT INTO t VALUES ({marks})", cells)
    connection.close()
    said = run("export", "--force", path, mail)
    if said.status == 0:
        conf = smtpd_conf(mail, f"table t file:{mail}/t\n{USES[kind]}\n")
        said = run("import", "--force", conf, db)
    if said.status == 0:
        assert sorted(rows(db, "t")) == sorted(found)
    else:
        assert not all(readable(kind, row) for row in found), said.err
