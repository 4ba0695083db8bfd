"""smtpd.conf: the tables that it defines, and those that it uses."""

import os
import re
import time
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd.errors import ConfigError
from opensmtpd.table.file import Row
from opensmtpd_cli.smtpdconf import parser
from opensmtpd_cli.smtpdconf.configuration import Configuration
from opensmtpd_cli.smtpdconf.directives import (
    ActionDefinition,
    Condition,
    FilterDefinition,
    Listener,
    MatchRule,
    Other,
    Pki,
    Place,
)
from opensmtpd_cli.smtpdconf.filter_line import FilterEntry
from unit.support.smtpd_conf import named, place, read

GUIDE = Path(__file__).parents[3] / "lab" / "shows" / "guide.conf"


def pairs(configuration: Configuration, name: str = "t") -> list[tuple[str, str | None]]:
    return [(row.key, row.value) for row in configuration.tables[name].rows]


def services(configuration: Configuration, name: str = "t") -> list[str]:
    return [str(service) for use in configuration.uses.get(name, []) for service in use.services]


def test_the_configuration_of_the_guide() -> None:
    guide = parser.read(str(GUIDE))
    assert {name: (table.file, table.line) for name, table in guide.tables.items()} == {
        "domains": ("/etc/mail/domains", 6),
        "aliases": ("/etc/mail/aliases", 7),
        "hosts": ("/etc/mail/hosts", 8),
        "relayaddr": ("/etc/mail/relayaddr", 9),
        "users": ("/etc/mail/users", 10),
    }
    assert {name: set(services(guide, name)) for name in guide.tables} == {
        "domains": {"domain"},
        "aliases": {"alias"},
        "hosts": {"source"},
        "relayaddr": {"netaddr"},
        "users": {"mailaddrmap"},
    }
    assert len(guide.uses["users"]) == 6  # in macros, once for each listener


def test_the_listeners_of_the_guide() -> None:
    """Their options come out of macros."""
    optional = Listener(
        place=Place("", 0),
        where="",
        tls="tls",
        pki=("example.com",),
        auth="auth-optional",
        filters=("check_rdns", "check_fcrdns"),
        hostname="example.com",
        mask_src=True,
    )
    required = optional._replace(auth="auth", filters=("dkimsign",))
    wanted = [
        Listener(Place(str(GUIDE), 24), "socket", 0, filters=("dkimsign",)),
        Listener(Place(str(GUIDE), 25), "lo0", 25, filters=("dkimsign",)),
        *_twice(26, optional),
        *_twice(28, required._replace(tls="smtps", port=465)),
        *_twice(30, required._replace(tls="tls-require", port=587)),
    ]
    assert parser.read(str(GUIDE)).listeners == wanted


def _twice(line: int, listener: Listener) -> list[Listener]:
    return [
        listener._replace(place=Place(str(GUIDE), at), where=where, senders=named("users", at))
        for at, where in ((line, "192.168.0.1"), (line + 1, "2001:db8::"))
    ]


def test_the_filters_of_the_guide() -> None:
    command = "filter-dkimsign -d example.com -s mail -k /etc/mail/dkim/private.key"
    guide = parser.read(str(GUIDE))
    assert list(guide.filters.values()) == [
        FilterDefinition(
            *(Place(str(GUIDE), 13), "check_rdns", "phase"),
            words=("connect", "match", "!", "rdns", "junk"),
            phase="connect",
            condition=Condition("rdns", negated=True),
            decision="junk",
        ),
        FilterDefinition(
            *(Place(str(GUIDE), 14), "check_fcrdns", "phase"),
            words=("connect", "match", "!", "fcrdns", "junk"),
            phase="connect",
            condition=Condition("fcrdns", negated=True),
            decision="junk",
        ),
        FilterDefinition(
            *(Place(str(GUIDE), 15), "dkimsign", "proc-exec"),
            words=(command, "user", "_dkimsign", "group", "_dkimsign"),
            entry=FilterEntry("dkimsign", command, "_dkimsign", "_dkimsign"),
        ),
    ]
    assert guide.procs == {}


def test_the_rules_of_the_guide() -> None:
    guide = parser.read(str(GUIDE))
    maildir = "%{user.directory}/Maildir"
    place = [Place(str(GUIDE), line) for line in range(41)]
    any_, out = Condition("for", "any"), "outbound"
    assert list(guide.actions.values()) == [
        ActionDefinition(
            place[34], "maildir", "maildir", maildir, True, alias=named("aliases", 34)
        ),
        ActionDefinition(place[35], out, "relay", src=named("hosts", 35)),
    ]
    domains = Condition("for", "domain", table=named("domains", 37))
    assert guide.matches == [
        MatchRule(place[37], "maildir", (Condition("from", "any"), domains)),
        MatchRule(place[38], out, (Condition("from", "local"), any_)),
        MatchRule(
            place[39],
            out,
            (Condition("from", "src", table=named("relayaddr", 39)), any_),
        ),
        MatchRule(place[40], out, (Condition("auth"), Condition("from", "any"), any_)),
    ]
    assert guide.pkis == {
        "example.com": Pki(
            *(place[2], "example.com"),
            *("/etc/ssl/example.com.crt", place[2]),
            *("/etc/ssl/private/example.com.key", place[3]),
        )
    }
    assert (guide.cas, guide.settings, guide.rest) == ({}, {}, [])


def test_directives_of_included_files(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.write_text('\nfilter "f" proc p\nlisten on $where\n', encoding="ascii")
    text = f'where = "lo"\nproc p "x"\ninclude "{inner}"\nlisten on eth0 filter f\n'
    configuration = read(tmp_path, text)
    assert configuration.filters["f"].place == Place(str(inner), 2)
    assert configuration.filters["f"].entry == FilterEntry("p", "x")
    assert configuration.listeners == [
        Listener(Place(str(inner), 3), "lo"),
        Listener(place(tmp_path, 4), "eth0", filters=("f",)),
    ]


def test_directives_that_are_not_known(tmp_path: Path) -> None:
    text = "accept from any for any relay\nuser x\n192 x\nlisten on lo shiny\n<t>\n"
    configuration = read(tmp_path, text)
    assert configuration.rest == [
        Other(place(tmp_path, 1), ("accept", "from", "any", "for", "any", "relay")),
        Other(place(tmp_path, 2), ("user", "x")),
        Other(place(tmp_path, 3), ("192", "x")),
        Other(place(tmp_path, 4), ("listen", "on", "lo", "shiny")),
        Other(place(tmp_path, 5), ("<", "t", ">")),
    ]
    assert configuration.listeners == [Listener(place(tmp_path, 4), "lo")]


@pytest.mark.parametrize(
    ("text", "target", "file"),
    [
        ("table t file:/etc/t", "file:/etc/t", "/etc/t"),
        ('table "t" "file:/etc/t"  # why', "file:/etc/t", "/etc/t"),
        ('table t "/etc/t"', "/etc/t", "/etc/t"),
        ("table t static:/etc/t", "static:/etc/t", "/etc/t"),
        ("table t \\\n file:/etc/t", "file:/etc/t", "/etc/t"),
        ('m = "file:/etc"\ntable t $m/t', "file:/etc/t", "/etc/t"),
        ("table t db:/etc/t.db", "db:/etc/t.db", None),
        ("table t sqlite:/etc/t.conf", "sqlite:/etc/t.conf", None),
        ("table t file", "file", None),
    ],
)
def test_where_the_rows_are(tmp_path: Path, text: str, target: str, file: str | None) -> None:
    table = read(tmp_path, text).tables["t"]
    assert (table.target, table.file, table.rows) == (target, file, [])


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("table t { a }", [("a", None)]),
        ("table t { a, B c\nd\n\n}", [("a", None), ("b", None), ("c", None), ("d", None)]),
        ("table t {\n# none\na, # one\n\nb # two\n}", [("a", None), ("b", None)]),
        ('table t { "*.a b", ::1, "Ä" }', [("*.a b", None), ("::1", None), ("Ä", None)]),
        ("table t { A = B, c => d\ne = f }", [("a", "B"), ("c", "d"), ("e", "f")]),
        ('m = "a, b"\ntable t { $m }', [("a", None), ("b", None)]),
        ('m = "{ a }"\ntable t $m', [("a", None)]),
        ('table t { a = "x, y" }', [("a", "x, y")]),
        ('table t { "", "" }', [("", None), ("", None)]),
    ],
)
def test_rows_in_braces(tmp_path: Path, text: str, wanted: list[tuple[str, str | None]]) -> None:
    configuration = read(tmp_path, text)
    assert pairs(configuration) == wanted
    assert configuration.tables["t"].target is None


def test_the_lines_of_rows_in_braces(tmp_path: Path) -> None:
    table = read(tmp_path, "\ntable t {\n a = b,\n\n c = d\n}\n").tables["t"]
    assert table.rows == [Row(3, "a", "b"), Row(5, "c", "d")]
    assert (table.line, table.path) == (2, str(tmp_path / "smtpd.conf"))


RESERVED = "alias is a word of smtpd.conf's own: "


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("table t { }", 1, "a table without rows"),
        ("table t { a, }", 1, "a comma with nothing behind it"),
        ("table t { , a }", 1, "not a table"),
        ("table t { a\n, b }", 2, "not a table"),
        ("table t { a,, b }", 1, "not a table"),
        ("table t { a, b = c }", 1, "keys with values and keys without in one table"),
        ("table t { a = b,\nc }", 2, "keys with values and keys without in one table"),
        ("table t { a =\nb }", 1, "not a table"),
        ("table t { 10 }", 1, "10 is a number: smtpd takes no such key or value here"),
        ("table t { *.a }", 1, "not a table"),
        ("table t {\nalias }", 2, RESERVED + "smtpd takes no such key or value here"),
        (
            "table t { a = alias }",
            1,
            "the value of a is a word of smtpd.conf's own: smtpd takes no such value here",
        ),
        (
            "table t { a = 4711 }",
            1,
            "the value of a is a number: smtpd takes no such value here",
        ),
        ("table t { { a } }", 1, "not a table"),
        ("table t { a } b", 1, "not a table"),
        ("table alias { a }", 1, RESERVED + "a table cannot be called so"),
        ("table alias file:/etc/x", 1, RESERVED + "a table cannot be called so"),
        ("action x mbox alias <alias>", 1, RESERVED + "a table cannot be called so"),
        ("table { a }", 1, "a table without a name"),
        (
            "\ufefftable t { a }",
            1,
            "a byte order mark before the first word, which smtpd cannot read",
        ),
        ("table t\nfile:/etc/t", 1, "not a table"),
        ("table t file:/etc/t more", 1, "not a table"),
        ("table t file:etc/t", 1, "table t: 'etc/t' is not a full path"),
        ("table t file:", 1, "table t: '' is not a full path"),
        ("table t { a }\n\ntable t { b }", 3, "table t is there already"),
        ("\ntable t {\na", 2, "a { without its }"),
        ("filter x chain {\n{ a }", 1, "a { without its }"),
        ("a\n}", 2, "a } without a {"),
        ('\ntable t { "a }\n', 2, 'a string that begins with " and does not end'),
        ("m = 25", 1, "not a macro: m ="),
        ("m = alias", 1, "not a macro: m ="),
        ('alias = "x"', 1, RESERVED + "no macro can be called so"),
        ('m = "a" b', 1, "not a macro: m ="),
        ('"m n" = "x"', 1, "a macro's name with a space in it"),
        ("action $nope", 1, "macro 'nope' is not defined"),
        ('include "nope"', 1, "nope: cannot read it: No such file or directory"),
        ('m = "}"\ntable t { a $m }', 2, "a } without a {"),
    ],
)
def test_what_smtpd_would_not_take(tmp_path: Path, text: str, line: int, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    error = caught.value
    assert (error.path, error.line) == (str(tmp_path / "smtpd.conf"), line)
    assert error.message == message


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("table senders file:/x", 'put it in quotes, wherever it stands: "senders"'),
        ("table t { 10 }", 'put it in quotes, wherever it stands: "10"'),
        ('domain = "example.org"', "choose another name"),
        ("table { a }", "write table NAME { ... }"),
        ("\ufeff", "save it as UTF-8 without BOM"),
    ],
)
def test_what_to_do_about_words_that_are_reserved(tmp_path: Path, text: str, remedy: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    assert caught.value.remedy == remedy


def test_words_that_are_reserved_may_stand_in_quotes(tmp_path: Path) -> None:
    text = 'table "senders" { "domain", "10" }\nlisten on lo senders <"senders">\n'
    configuration = read(tmp_path, text)
    assert pairs(configuration, "senders") == [("domain", None), ("10", None)]
    assert services(configuration, "senders") == ["mailaddrmap"]


def test_tables_without_a_name(tmp_path: Path) -> None:
    text = (
        "filter f chain { a, b }\nmatch from src { 10.0.0.0/8,\n::1 } for domain {\n x } reject\n"
    )
    assert [brace.line for brace in read(tmp_path, text).nameless] == [2, 3]


@pytest.mark.parametrize("include", [False, True])
def test_a_fifo_does_not_keep_it_waiting(tmp_path: Path, include: bool) -> None:
    os.mkfifo(tmp_path / "fifo")
    conf = tmp_path / ("smtpd.conf" if include else "fifo")
    if include:
        conf.write_text(f'\ninclude "{tmp_path}/fifo"\n')
    with pytest.raises(ConfigError, match="a FIFO, not a regular file; name a regular file") as it:
        parser.read(str(conf))
    assert (it.value.path, it.value.line) == (str(conf), 2 if include else None)


def test_files_that_are_included(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.write_text('m = "x"\ntable t { b }\naction "a" mbox alias <u>', encoding="ascii")
    text = f'include "{inner}" table u {{ a = $m }}\nmatch for domain <t> action "a"\n'
    configuration = read(tmp_path, text)
    outer = str(tmp_path / "smtpd.conf")
    assert pairs(configuration, "t") == [("b", None)]
    assert pairs(configuration, "u") == [("a", "x")]
    tables = configuration.tables.values()
    assert [(table.path, table.line) for table in tables] == [(str(inner), 2), (outer, 1)]
    assert services(configuration, "t") == ["domain"]
    assert services(configuration, "u") == ["alias"]
    assert list(configuration.files) == [outer, str(inner)]


def test_a_table_that_begins_in_one_file_and_ends_in_another(tmp_path: Path) -> None:
    (tmp_path / "inner").write_text("table t {", encoding="ascii")
    with pytest.raises(ConfigError, match="inner:1: not a table"):
        read(tmp_path, f'include "{tmp_path}/inner"\na }}\n')


def test_the_last_value_of_a_macro_counts(tmp_path: Path) -> None:
    configuration = read(tmp_path, 'm = "a"\ntable s { $m }\nm = "b"\ntable t { $m }\n')
    assert pairs(configuration, "s") == [("a", None)]
    assert pairs(configuration, "t") == [("b", None)]


def test_the_delimiter_of_tags(tmp_path: Path) -> None:
    assert read(tmp_path, 'smtp sub-addr-delim "-"\n').settings == {"sub-addr-delim": "-"}
    size = read(tmp_path, "smtp max-message-size 1M\n").settings
    assert size == {"smtp max-message-size": "1M"}


FRAGMENTS = [
    *("table ", "t ", "u ", "{ ", "} ", "a", ", ", "= ", "=> ", "file:/x ", "include ", "\\", "#"),
    *('"', "'", "$m ", 'm = "x"\n', "\n", "action ", "alias ", "<t> ", "match ", "\0", "\x01", "é"),
    *("listen on ", "filter ", "proc-exec ", "relay ", "port ", "25 ", "phase ", "! ", "chain "),
    *("limit ", "mta ", "pki ", "for domain ", "from ", "regex ", "auth ", "backup mx ", "proc "),
]


@given(st.lists(st.sampled_from(FRAGMENTS) | st.characters(), max_size=30).map("".join))
def test_any_text_is_read_or_refused(text: str) -> None:
    with TemporaryDirectory() as folder, suppress(ConfigError):
        path = Path(folder) / "smtpd.conf"
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        for table in parser.read(str(path)).tables.values():
            where = path.read_bytes()[table.start : table.end]
            assert table.target is not None or re.search(rb"[}$]", where)


def test_a_table_of_many_rows_takes_time_for_each_of_them_only(tmp_path: Path) -> None:
    """It took minutes; the bound is to be kept by the slowest machine."""
    text = "table t {\n" + ",\n".join(f'"key{number}"' for number in range(50_000)) + "\n}\n"
    began = time.monotonic()
    assert len(read(tmp_path, text).tables["t"].rows) == 50_000
    assert time.monotonic() - began < 60
