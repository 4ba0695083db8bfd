"""``opensmtpd-plugins import``."""

import shutil
import subprocess
from pathlib import Path

import pytest

from opensmtpd.table import Service
from opensmtpd_cli.database import schema
from opensmtpd_cli.database.schema import CatalogueEntry
from opensmtpd_cli.smtpdconf.row_kinds import RowKind
from unit.support.swap import Program, guide, listing, rows, smtpd_conf


def test_the_five_tables_of_the_guide(run: Program, mail: Path, db: Path) -> None:
    conf = guide(mail)
    said = run("import", conf, db)
    assert said.status == 0
    assert (
        said.out
        == f"""\
--- {conf}
+++ {conf}
@@ -3,11 +3,11 @@
 pki example.com key "/etc/ssl/private/example.com.key"
\x20
 # tables setup
-table domains file:{mail}/domains
-table aliases file:{mail}/aliases
-table hosts file:{mail}/hosts
-table relayaddr file:{mail}/relayaddr
-table users file:{mail}/users
+table domains sqlite:{db.parent}/domains.conf
+table aliases sqlite:{db.parent}/aliases.conf
+table hosts sqlite:{db.parent}/hosts.conf
+table relayaddr sqlite:{db.parent}/relayaddr.conf
+table users sqlite:{db.parent}/users.conf
\x20
 # Blocks junk mail
 filter check_rdns phase connect match !rdns junk
"""
    )
    assert rows(db, "domains") == [("*.example.org",), ("example.com",)]
    assert rows(db, "aliases") == [("alice", "alice"), ("root", "alice, alice@mail.example")]
    assert rows(db, "hosts") == [("192.168.1.1",), ("2001:db8::",)]
    assert rows(db, "relayaddr") == [("10.0.0.0/8",), ("[::1]",)]
    assert rows(db, "users") == [("alice", "alice@example.com")]
    connection = schema.connect(str(db))
    assert schema.entries(connection) == [
        CatalogueEntry("aliases", RowKind.MAPPING, (Service.ALIAS,)),
        CatalogueEntry("domains", RowKind.LIST, (Service.DOMAIN,)),
        CatalogueEntry("hosts", RowKind.LIST, (Service.SOURCE,)),
        CatalogueEntry("relayaddr", RowKind.LIST, (Service.NETADDR,)),
        CatalogueEntry("users", RowKind.MAPPING, (Service.MAILADDRMAP,)),
    ]
    connection.close()
    assert (
        (db.parent / "hosts.conf").read_text(encoding="ascii")
        == f"""\
# Table "hosts" of smtpd.conf, by opensmtpd-plugins. Used for: source.
dbpath {db}
query_source SELECT key FROM "hosts" WHERE key = ?
fetch_source SELECT key FROM "hosts" ORDER BY key
"""
    )
    assert f"aliases: for alias, rows: 2, {db.parent}/aliases.conf\n" in said.err
    assert "smtpd -n" in said.err


@pytest.mark.skipif(shutil.which("patch") is None, reason="patch is not installed")
def test_patch_applies_the_diff(run: Program, mail: Path, db: Path) -> None:
    conf = guide(mail)
    old = conf.read_text(encoding="utf-8")
    diff = run("--quiet", "import", conf, db).out
    subprocess.run(["patch", "-s", "-d", "/", "-p1"], input=diff.encode(), check=True, timeout=120)
    new = old.replace(f"file:{mail}/", f"sqlite:{db.parent}/")
    for name in ("domains", "aliases", "hosts", "relayaddr", "users"):
        new = new.replace(f"{db.parent}/{name}\n", f"{db.parent}/{name}.conf\n")
    assert conf.read_text(encoding="utf-8") == new
    said = run("import", conf, db)
    assert said.status == 1
    assert said.err == (
        f"opensmtpd-plugins: {conf}: there is no file: or inline table to import;"
        " give those without a name one, as: table NAME { ... }\n"
    )


def test_nothing_that_is_read_is_touched(run: Program, mail: Path, db: Path) -> None:
    conf = guide(mail)
    before = listing(mail)
    assert run("import", conf, db).status == 0
    assert listing(mail) == before
    assert sorted(listing(db.parent)) == [
        *("aliases.conf", "domains.conf", "hosts.conf", "relayaddr.conf", "smtpd.sqlite"),
        "users.conf",
    ]


def diff_of(run: Program, mail: Path, db: Path, text: str) -> list[str]:
    """Return what changes in a smtpd.conf, without its place."""
    said = run("--quiet", "import", smtpd_conf(mail, text), db)
    assert said.status == 0, said.err
    return [line for line in said.out.splitlines() if line[:3] not in ("---", "+++", "@@ ")]


def test_inline_tables_become_one_line(run: Program, mail: Path, db: Path) -> None:
    text = "table  t  {\n a = b, # one\n C = D\n} # why\nmatch for any reject\n"
    assert diff_of(run, mail, db, text) == [
        "-table  t  {",
        "- a = b, # one",
        "- C = D",
        "-} # why",
        f"+table  t  sqlite:{db.parent}/t.conf # why",
        " match for any reject",
    ]
    assert rows(db, "t") == [("a", "b"), ("c", "D")]


@pytest.mark.parametrize(
    ("macro", "old", "new"),
    [
        ("file:{}", "table t $m/t #", "table t {} #"),
        ("t file", "table $m:{}/t", "table t {}"),
        ("table t file:{}/t", "$m", "table t {}"),
        ("table", "$m t file:{}/t", "$m t {}"),
    ],
)
def test_tables_out_of_macros(
    run: Program, mail: Path, db: Path, macro: str, old: str, new: str
) -> None:
    (mail / "t").write_text("a\n", encoding="ascii")
    first = f'm = "{macro.format(mail)}"'
    assert diff_of(run, mail, db, f"{first}\n{old.format(mail)}\n") == [
        f" {first}",
        f"-{old.format(mail)}",
        f"+{new.format(f'sqlite:{db.parent}/t.conf')}",
    ]


def test_a_last_line_without_its_end(run: Program, mail: Path, db: Path) -> None:
    assert diff_of(run, mail, db, "table t { a }") == [
        "-table t { a }",
        "\\ No newline at end of file",
        f"+table t sqlite:{db.parent}/t.conf",
        "\\ No newline at end of file",
    ]


def test_files_that_are_included_have_their_own_diff(run: Program, mail: Path, db: Path) -> None:
    inner = mail / "in side"
    inner.write_text("table b { y }\n", encoding="ascii")
    conf = smtpd_conf(mail, f'table a {{ x }}\ninclude "{inner}"\n')
    assert (
        run("--quiet", "import", conf, db).out
        == f"""\
--- {conf}
+++ {conf}
@@ -1,2 +1,2 @@
-table a {{ x }}
+table a sqlite:{db.parent}/a.conf
 include "{inner}"
--- {inner}\t
+++ {inner}\t
@@ -1 +1 @@
-table b {{ y }}
+table b sqlite:{db.parent}/b.conf
"""
    )


def test_names_and_paths_that_want_quotes(run: Program, tmp_path: Path, mail: Path) -> None:
    (tmp_path / "a b").mkdir()
    text = "m = \"'alias x' file:/dev/null\"\ntable $m\n"
    assert diff_of(run, mail, tmp_path / "a b" / "db", text) == [
        " m = \"'alias x' file:/dev/null\"",
        "-table $m",
        f'+table "alias x" "sqlite:{tmp_path}/a b/alias x.conf"',
    ]


def test_other_tables_stay(run: Program, mail: Path, db: Path) -> None:
    conf = smtpd_conf(mail, "table a { x }\ntable b db:/etc/b.db\n")
    said = run("import", conf, db)
    assert "+table b" not in said.out
    assert "b: stays as it is (db:/etc/b.db)\n" in said.err
    assert not (db.parent / "b.conf").exists()


def test_all_kinds(run: Program, mail: Path, db: Path) -> None:
    (mail / "empty").write_text("# nothing yet\n", encoding="ascii")
    text = f"""\
table creds {{ Alice = "$2b$10$x", label = "Bob:secret" }}
table base {{ alice = "1000:100:/home/alice" }}
table new file:{mail}/empty
table later {{ x }}
table away file:{mail}/empty
listen on lo0 tls pki x auth <creds>
action "a" mbox userbase <base> alias <new>
action "r" relay src <away>
smtp sub-addr-delim "-"
"""
    assert run("import", smtpd_conf(mail, text), db).status == 0
    assert rows(db, "creds") == [("alice", "alice", "$2b$10$x"), ("label", "Bob", "secret")]
    assert rows(db, "base") == [("alice", 1000, 100, "/home/alice")]
    assert rows(db, "new") == []
    connection = schema.connect(str(db))
    assert schema.entries(connection) == [
        CatalogueEntry("away", RowKind.LIST, (Service.SOURCE,)),
        CatalogueEntry("base", RowKind.USERINFO, (Service.USERINFO,)),
        CatalogueEntry("creds", RowKind.CREDENTIALS, (Service.CREDENTIALS,)),
        CatalogueEntry("later", RowKind.LIST),
        CatalogueEntry("new", RowKind.MAPPING, (Service.ALIAS,)),
    ]
    connection.close()
    assert "sub_addr_delim -\n" in (db.parent / "later.conf").read_text(encoding="ascii")


def test_configuration_files_elsewhere(run: Program, mail: Path, db: Path) -> None:
    other = mail.parent / "conf"
    other.mkdir()
    said = run("import", "--config-dir", other, guide(mail), db)
    assert f"+table users sqlite:{other}/users.conf\n" in said.out
    assert sorted(listing(db.parent)) == ["smtpd.sqlite"]
    assert (other / "users.conf").read_text(encoding="ascii").splitlines()[1] == f"dbpath {db}"


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


def test_names_for_rdns_are_no_mistakes(run: Program, mail: Path, place: Path) -> None:
    conf = smtpd_conf(
        mail,
        'table names { "mail.example.org", "10.0.0.0/8" }\n'
        'match from rdns <names> for any reject\n',
    )  # fmt: skip
    said = run("import", conf, place / "smtpd.db")
    assert said.status == 0
    assert "matches nothing" not in said.err
    assert "names: for domain, netaddr, rows: 2, " in said.err


def test_what_import_does_not_judge_is_said_once(run: Program, mail: Path, place: Path) -> None:
    conf = smtpd_conf(mail, "table t { a }\nnonsense\nmatch for domain {\n x } tag { y } reject\n")
    said = run("import", conf, place / "smtpd.db")
    assert said.status == 0
    assert f"\ntables without a name stay as they are: {conf}:3, {conf}:4\n" in said.err
    assert said.err.count("smtpd -n judges all other directives") == 1
