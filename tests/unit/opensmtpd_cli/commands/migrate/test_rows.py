"""The rows of table files on their way into the database, and the complaints about them."""

from pathlib import Path

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from opensmtpd.errors import ConfigError
from opensmtpd.table import file
from opensmtpd_cli.database import schema
from unit.support.swap import Program, listing, rows, smtpd_conf


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
{mail}/gone: cannot read it: No such file or directory; make the file, or correct the path
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


def test_rows_are_judged_by_the_use_of_their_table(run: Program, mail: Path, db: Path) -> None:
    hash = "$6$saltsalt$" + 86 * "Z"
    (mail / "t").write_text(f"\ufeffa: x:{hash}\nb: b:{{CRYPT}}{hash}\nc: {hash}::::::\n")
    (mail / "v").write_text("*@example.org: bob\nbob@example.org: bob\n")
    conf = smtpd_conf(
        mail,
        f"table t file:{mail}/t\ntable v file:{mail}/v\n"
        'listen on lo0 auth <t>\naction "a" mbox virtual <v>\n',
    )
    said = run("import", conf, db)
    assert said.status == 0
    assert [line for line in said.err.splitlines() if "warning" in line] == [
        f"{mail}/t:1: warning: a: a byte order mark (BOM) stands before it and is a part of the"
        " key: smtpd never finds this row; save the file without a mark",
        f"{mail}/t:2: warning: b: smtpd does not know {{CRYPT}}, and takes it for a part of the"
        " hash: nobody can log in; remove {CRYPT}, or have table-sqlite check passwords by"
        " query_auth (smtpd 7.9)",
        f"{mail}/t:3: warning: c: colons stand behind the hash and are a part of it: nobody can"
        " log in; remove them",
        f"{mail}/v:1: warning: *@example.org: the * stands for itself, and not for all users;"
        " write @example.org",
    ]
    assert "Z" not in said.err


def test_a_table_of_hashes_used_as_aliases_shows_none(run: Program, mail: Path, db: Path) -> None:
    (mail / "t").write_text(f"alice: alice:$6$saltsalt${86 * 'Z'}\n")
    conf = smtpd_conf(mail, f'table t file:{mail}/t\naction "a" mbox alias <t>\n')
    said = run("import", conf, db)
    assert said.status == 1
    assert f"{mail}/t:1: alice: 'alice:*** is no address" in said.err
    assert "ZZ" not in said.err
