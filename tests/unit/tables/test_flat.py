"""table-flat: the files of table(5), asked as smtpd asks."""

import random
from collections.abc import Iterable
from pathlib import Path

import pytest

from opensmtpd.errors import ConfigError
from opensmtpd.table import Service, matching
from opensmtpd.table.passwords import encrypt
from opensmtpd.testing import ask
from opensmtpd_tables import flat
from opensmtpd_tables.flat import Flat
from unit.support.processes import CHECKED
from unit.support.table_talk import Talk, flags, program

ALL = ["alias", "domain", "credentials", "netaddr", "userinfo", "source", "mailaddr", "addrname",
    "mailaddrmap", "relayhost", "string", "regex"]  # fmt: skip


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "table"


def talk(path: Path, text: str, smtpd: bytes = b"7.9.0") -> Talk:
    path.write_text(text, encoding="utf-8", errors="surrogateescape")
    return Talk(Flat(flags(path)), smtpd)


def test_every_service_but_auth_is_registered(path: Path) -> None:
    assert talk(path, "").services == ALL
    assert talk(path, "", b"7.6.0").services == ALL


@pytest.mark.parametrize(
    ("service", "row", "key", "value"),
    [
        ("alias", "Root: A, b@example.org, |/bin/x", "root", "A, b@example.org, |/bin/x"),
        ("alias", "list :include:/etc/mail/list", "list", ":include:/etc/mail/list"),
        ("credentials", "alice $2b$10$abc", "alice", "$2b$10$abc"),
        ("credentials", "relay user:secret", "relay", "user:secret"),
        ("userinfo", "joe\t1000:100:/home/joe", "joe", "1000:100:/home/joe"),
        ("addrname", "[::1] mail.example.org", "[::1]", "mail.example.org"),
        ("mailaddrmap", "alice: alice@example.org, @example.net", "alice",
            "alice@example.org, @example.net"),
        ("string", "a|b: c|d", "a|b", "c|d"),
        ("alias", "\udcff: \udcfe", "\udcff", "\udcfe"),
    ],
)  # fmt: skip
def test_lookups(path: Path, service: str, row: str, key: str, value: str) -> None:
    table = talk(path, f"# comment\n{row}\nother: thing\n")
    assert table.lookup(service, key) == f"found|{value}"
    assert table.check(service, key) == "found"
    assert table.lookup(service, key + "x") == "not-found"
    assert table.check(service, "x" + key) == "not-found"


def test_the_last_of_equal_rows_counts(path: Path) -> None:
    assert talk(path, "a: 1\nA: 2\n").lookup("alias", "a") == "found|2"


@pytest.mark.parametrize(
    ("service", "row", "found", "missing"),
    [
        ("domain", "*.Example.org", ["a.example.org"], ["example.org", "a.b.example.org"]),
        ("domain", "example.org", ["example.org"], ["a.example.org"]),
        ("netaddr", "10.0.0.0/8", ["10.1.2.3"], ["11.0.0.1", "[::1]"]),
        ("netaddr", "[2001:db8::/32]", ["[2001:db8::5]"], ["[2001:db9::5]"]),
        ("mailaddr", "@example.org", ["a@example.org"], ["a@example.net"]),
        ("mailaddr", "alice@example.org", ["alice+tag@example.org"], ["alice-tag@example.org"]),
        ("mailaddr", "alice", ["alice@example.net", "alice+x@example.net"], ["bob@example.net"]),
        ("mailaddr", "alice@*.example.org", ["alice@a.example.org"], ["bob@a.example.org"]),
        ("regex", "^[A-C]+@", ["abc@example.org"], ["abd@example.org"]),
    ],
)
def test_meaning(path: Path, service: str, row: str, found: list[str], missing: list[str]) -> None:
    table = talk(path, f"# @list\n{row}\n")
    for key in found:
        assert table.check(service, key) == "found"
        assert table.lookup(service, key) == f"found|{row.lower()}"
    for key in missing:
        assert table.check(service, key) == "not-found"
        assert table.lookup(service, key) == "not-found"


def test_the_value_of_a_mapping_is_found_by_meaning_too(path: Path) -> None:
    assert talk(path, "*.example.org value\n").lookup("domain", "a.example.org") == "found|value"


def test_no_meaning_where_smtpd_gives_none(path: Path) -> None:
    table = talk(path, "*.example.org value\n10.0.0.0/8 x\n")
    for service in ("alias", "string", "addrname", "credentials", "source", "relayhost"):
        assert table.lookup(service, "a.example.org") == "not-found"
        assert table.lookup(service, "10.1.1.1") == "not-found"


def test_the_delimiter_directive(path: Path) -> None:
    table = talk(path, "# @delimiter -\nalice@example.org\n")
    assert table.check("mailaddr", "alice-tag@example.org") == "found"
    assert table.check("mailaddr", "alice+tag@example.org") == "not-found"
    path.write_text("# @delimiter =\nalice@example.org\n")
    assert table.update() == "ok"
    assert table.check("mailaddr", "alice-tag@example.org") == "not-found"
    assert table.check("mailaddr", "alice=tag@example.org") == "found"


@pytest.mark.parametrize("service", ["source", "relayhost"])
def test_fetch_goes_round_in_the_order_of_bytes(path: Path, service: str) -> None:
    table = talk(path, "\udcff\n[::2]\nB\n10.0.0.9\n10.0.0.10\né\nb\n")
    turn = ["10.0.0.10", "10.0.0.9", "[::2]", "b", "é", "\udcff"]
    assert [table.fetch(service) for _ in range(13)] == [
        f"found|{key}" for key in [*turn, *turn, turn[0]]
    ]
    assert table.update() == "ok"
    assert table.fetch(service) == "found|10.0.0.10"


def test_fetch_of_an_empty_file(path: Path) -> None:
    assert talk(path, "# nothing\n").fetch("source") == "not-found"


def test_fetch_of_one_row_and_of_a_mapping(path: Path) -> None:
    table = talk(path, "b: 1\na: 2\n: 3\n")
    assert [table.fetch("source") for _ in range(3)] == ["found|a", "found|b", "found|a"]


def test_update_takes_the_new_rows(path: Path) -> None:
    table = talk(path, "a: 1\n")
    path.write_text("b: 2\n")
    assert table.lookup("alias", "a") == "found|1"  # until it is told to
    assert table.update() == "ok"
    assert table.lookup("alias", "a") == "not-found"
    assert table.lookup("alias", "b") == "found|2"


@pytest.mark.parametrize(
    "text", ["b: 2\nbad\n", "b: 2\n[::1\n", "b: 2\0\n", "# @auth no\nb: 2\n", None]
)
def test_update_keeps_the_old_rows_of_a_bad_file(path: Path, text: str | None) -> None:
    table = talk(path, "a: 1\n*.example.org: 3\n")
    assert table.check("domain", "a.example.org") == "found"
    if text is None:
        path.unlink()
    else:
        path.write_text(text)
    assert table.update().startswith(f"error|{path}:")
    assert table.lookup("alias", "a") == "found|1"
    assert table.lookup("alias", "b") == "not-found"
    assert table.check("domain", "a.example.org") == "found"


def test_a_list_may_become_a_mapping(path: Path) -> None:
    table = talk(path, "a\n")
    path.write_text("a: 1\n")
    assert table.update() == "ok"
    assert table.lookup("alias", "a") == "found|1"


def test_indexes_are_made_when_asked_for_and_then_kept_up(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []

    class Patterns(matching.Patterns):
        def __init__(self, service: Service, rows: Iterable[str], delimiter: str) -> None:
            made.append(service)
            super().__init__(service, rows, delimiter)

    monkeypatch.setattr(flat, "Patterns", Patterns)
    table = talk(path, "*.example.org: x\n@example.org: y\n")
    table.lookup("alias", "x")
    assert made == []
    for _ in range(2):
        assert table.check("domain", "a.example.org") == "found"
    assert made == ["domain"]
    path.write_text("*.example.net: x\n")
    assert table.update() == "ok"
    assert made == ["domain", "domain"]  # before the next question
    assert table.check("domain", "a.example.net") == "found"
    assert table.check("domain", "a.example.org") == "not-found"
    assert made == ["domain", "domain"]


def test_rows_that_mean_nothing_are_logged(path: Path, logged: list[str]) -> None:
    table = talk(path, "# @list\n10.0.0.0/8\n10.0.0.0/99\n10.0.0.0/33\n")
    assert table.check("netaddr", "10.0.0.1") == "found"
    assert logged == [
        f"rows-ignored path={path} line=3 service=netaddr count=2 first=10.0.0.0/99"
        ' reason="no network"'
    ]


@pytest.mark.parametrize(
    ("text", "services"),
    [
        ("# @list\n^spam\n", ["regex"]),
        ("10.0.0.0/8\n", ["netaddr"]),
        ("@example.org\n", ["mailaddr"]),
        ("# @list\n[2001:db8::1]\n", ["netaddr"]),
        ("# @list\nalice\n(ham|eggs)@example\\.org\n", ["mailaddr", "regex"]),
        ("example.org\n*.example.org\n", ["domain"]),
        ("alice\nbob\n", []),
        ("a@example.org: ^b\n", []),  # a mapping
        ("", []),
    ],
)
def test_what_a_list_looks_like_is_indexed_before_it_is_asked_for(
    path: Path, monkeypatch: pytest.MonkeyPatch, text: str, services: list[str]
) -> None:
    made: list[str] = []

    class Patterns(matching.Patterns):
        def __init__(self, service: Service, rows: Iterable[str], delimiter: str) -> None:
            made.append(service)
            super().__init__(service, rows, delimiter)

    monkeypatch.setattr(flat, "Patterns", Patterns)
    path.write_text(text)
    table = Flat(flags(path))
    assert made == services
    path.write_text("# @list\n^a\n")
    table.update()
    assert set(made[len(services) :]) == {*services, "regex"}


def test_an_expression_that_is_refused_is_logged_before_the_table_is_asked(
    path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    talk(path, "# @list\n^a\n\n(a{30}){40}$\n(b\n^a\n")
    assert capfd.readouterr().err == (
        f"rows-ignored path={path} line=4 service=regex count=2 first=(a{{30}}){{40}}$"
        ' reason="with its repeats written out, over 1000 characters"\n'
    )


def test_auth_is_registered_where_the_file_says_so(path: Path) -> None:
    assert talk(path, "# @auth\na: b\n").services == [*ALL, "auth"]
    assert talk(path, "# @auth\na: b\n", b"7.8.0").services == ALL
    assert talk(path, "# @auth force\na: b\n", b"7.6.0p1").services == [*ALL, "auth"]


def test_auth_checks_passwords(path: Path) -> None:
    hash = encrypt("Se:cret")
    table = talk(path, f"# @auth\nAlice: {hash}\nbob: bob:{hash}\ncarol: unknown\n")
    for key in ("alice:Se:cret", "ALICE:Se:cret", "bob:Se:cret"):
        assert table.check("auth", key) == "found"
    for key in ("alice:se:cret", "alice:", "alice", "bob:Se", "dora:Se:cret", f"alice:{hash}"):
        assert table.check("auth", key) == "not-found"
    assert table.check("auth", "carol:x") == f"error|carol: {UNKNOWN}"


UNKNOWN = "cannot check an unknown kind of hash: it is malformed"
REMEDY = "make a new one with smtpctl encrypt, or write * to lock the account"


def test_hashes_that_are_refused_are_named_by_check(path: Path) -> None:
    costly = "$y$jFT$saltsaltsaltsalt$" + 43 * "."
    path.write_text(f"# @auth\nalice: *\nbob: bob:{costly}\ncarol: {{CRYPT}}{costly}\nd: x\n")
    Flat(flags(path))
    with pytest.raises(ConfigError) as caught:
        Flat(flags(path, check=True))
    fault = "bob: cannot check a yescrypt hash: it asks for too much memory or time (and 1 more)"
    assert str(caught.value) == f"{path}:3: {fault}; {REMEDY}"
    path.write_text(f"# no @auth\nbob: bob:{costly}\n")
    Flat(flags(path, check=True))


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("a: b\nc\n", ':2: a row without a value in a mapping; write "key: value", or put "# @list"'
         " above the rows of a list"),
        ("a: b\nc: " + "d" * 2048, ":2: a value of 2048 bytes; smtpd takes 2047: shorten it, or use"
         " :include:"),
        ("# @delimiter ab\n", ': @delimiter with other than one character; write "# @delimiter -"'),
        ("# @delimiter\n", ': @delimiter with other than one character; write "# @delimiter -"'),
        ("# @auth never\n", ': an unknown argument of @auth; write "# @auth" or "# @auth force"'),
    ],
)  # fmt: skip
def test_files_that_cannot_be_used(path: Path, text: str, error: str) -> None:
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        Flat(flags(path))
    assert str(caught.value) == f"{path}{error}"


def test_the_longest_value(path: Path) -> None:
    value = "ä" * 1023 + "b"
    assert talk(path, f"a: {value}\n").lookup("alias", "a") == f"found|{value}"


def test_the_program_checks_a_file(path: Path) -> None:
    path.write_text("a: b\n")
    ok = (0, f"table-flat: {CHECKED}\n", "")
    assert program("opensmtpd_tables.flat", "-n", str(path)) == ok
    path.write_text("a:\n")
    status, out, errors = program("opensmtpd_tables.flat", "-n", str(path))
    assert (status, out) == (1, "")
    assert errors.startswith(f"table-flat: {path}:1: a row without a value in a mapping; ")


def test_the_program_says_how_it_is_used() -> None:
    status, out, _ = program("opensmtpd_tables.flat", "--help")
    assert status == 0
    assert "  table aliases flat:/etc/mail/aliases\n" in out


def test_a_key_that_is_too_much_for_all_rows_is_one_error_and_one_line(
    path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    rows = "".join(f"(a|b)*a(a|b){{{300 + number}}}!\n" for number in range(60))
    path.write_text(f"# @list\n{rows}")
    table = Flat(flags(path))
    key = "".join(random.Random(1).choices("ab", k=1023))
    reason = "a key of 1023 bytes that takes too long to match with all rows"
    assert ask(table, "check", "regex", key) == ("error", reason)
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("check-failed table=")
    assert line.endswith(f' service=regex error=LocalError reason="{reason}"')
    assert ask(table, "check", "regex", "alice@example.org") == ("not-found", "")
