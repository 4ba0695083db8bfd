"""table-mysql as a program, and its server one that says what it is told."""

import subprocess
import sys
from pathlib import Path

import pytest

from opensmtpd_tables import mysql
from unit.support.lookups import answer, check, fetch, lookup, update
from unit.support.mysql_server import Answer, Rows, Statements, error, packet, result, serves
from unit.support.scripted_server import scripted
from unit.support.table_child import TableChild

MAIN = "from opensmtpd_tables import mysql\nmysql.main()\n"
ALIAS, CREDENTIALS = "SELECT d FROM a WHERE k = ?", "SELECT u, h FROM c WHERE k = ?"
NETADDR, SOURCE = "SELECT n FROM n WHERE n = ?", "SELECT s FROM s"
ROWS: dict[bytes, Rows] = {
    b"sales": [(b"alice",), (None,), (b"",), (b"bob",)],
    b"null": [(None,)],
    b"line": [(b"one\ntwo",)],
    b"long": [(b"x" * 3000,)],
}


def give(key: bytes) -> bytes:
    return packet(1, error(1370, b"denied")) if key == b"bad" else result(ROWS.get(key, []))


KNOWN: Statements = {
    ALIAS.encode(): Answer(give),
    CREDENTIALS.encode(): Answer(lambda key: result([(key, b"hash")], 2), 1, 2),
    NETADDR.encode(): Answer(lambda key: result([(key,)] if key == b"192.0.2.0/24" else [])),
    SOURCE.encode(): Answer(lambda _: result([(b"192.0.2.2",), (b"192.0.2.1",)]), 0),
}


def settings(folder: Path, *lines: str) -> str:
    """Write a configuration; return its path."""
    path = folder / "mysql.conf"
    own = (f"socket {folder / 's'}", "sandbox no", "password secret")
    queries = (f"query_alias {ALIAS}", f"query_credentials {CREDENTIALS}", f"fetch_source {SOURCE}")
    path.write_text("\n".join((*own, *queries, *lines, "")))
    path.chmod(0o600)
    return str(path)


def test_answers(tmp_path: Path) -> None:
    conf = settings(tmp_path)
    with (
        scripted(tmp_path / "s", serves(KNOWN)),
        TableChild(tmp_path, "", conf, main=MAIN) as child,
    ):
        registered = child.hello()
        assert registered.count(b"register|") == 13  # twelve services, and ready
        child.send(lookup(b"sales"), lookup(b"nobody"), check(b"null"), lookup(b"null"))
        assert child.lines(4) == [
            answer(b"found|alice, bob"),
            answer(b"not-found"),
            answer(b"found", b"check"),
            answer(b"not-found"),
        ]
        child.send(lookup(b"ann", b"credentials"), fetch(), fetch(), fetch())
        assert child.lines(4) == [
            answer(b"found|ann:hash"),
            answer(b"found|192.0.2.1", b"fetch"),
            answer(b"found|192.0.2.2", b"fetch"),
            answer(b"found|192.0.2.1", b"fetch"),
        ]
        for key in (b"line", b"long", b"bad"):
            child.send(lookup(key))
            assert child.lines()[0].startswith(answer(b"error|")[:-1])
        child.send(lookup(b"sales"), lookup(b"x", b"domain"))
        first, second = child.lines(2)
        assert first == answer(b"found|alice, bob")
        assert b"no query_domain" in second
        status, _, log = child.end()
    assert status == 0
    assert "secret" not in log


def test_networks_match_where_that_is_said(tmp_path: Path) -> None:
    """Each of 34 candidates costs a round trip, so that it is off otherwise."""
    with scripted(tmp_path / "s", serves(KNOWN), serves(KNOWN)):
        for more, wanted in (((), b"not-found"), (("match netaddr",), b"found")):
            conf = settings(tmp_path, f"query_netaddr {NETADDR}", *more)
            with TableChild(tmp_path, "", conf, main=MAIN) as child:
                child.hello()
                child.send(check(b"192.0.2.7", b"netaddr"))
                assert child.lines() == [answer(wanted, b"check")]
                assert child.end()[0] == 0


def test_a_server_that_is_away(tmp_path: Path) -> None:
    conf = settings(tmp_path)
    with TableChild(tmp_path, "", conf, main=MAIN) as child:
        child.hello()
        child.send(lookup(b"sales"), update())
        assert child.lines()[0].startswith(answer(b"error|")[:-1])
        assert b"error" in child.lines()[0]
        status, _, log = child.end()
    assert status == 0
    assert log.count("server-away") == 1


def checked(conf: str) -> tuple[int, str]:
    program = [sys.executable, "-m", "opensmtpd_tables.mysql", "-n", conf]
    done = subprocess.run(program, check=False, stderr=subprocess.PIPE, text=True)
    return done.returncode, done.stderr


def test_checked(tmp_path: Path) -> None:
    conf = settings(tmp_path)
    with scripted(tmp_path / "s", serves(KNOWN)):
        assert checked(conf) == (0, "")


def test_checked_and_wrong(tmp_path: Path) -> None:
    conf = settings(tmp_path, "query_domain SELEKT")
    with scripted(tmp_path / "s", serves(KNOWN)):
        status, said = checked(conf)
    assert status == 1
    assert f"{conf}:7: query_domain: error 1064: You have an error in your SQL" in said


def test_checked_without_the_server(tmp_path: Path) -> None:
    conf = settings(tmp_path)
    status, said = checked(conf)
    assert status == 1
    assert f"{conf}:1: " in said
    assert "secret" not in said


def test_the_parser() -> None:
    parser = mysql.parser()
    assert parser.prog == "table-mysql"
    assert parser.parse_args(["/etc/mail/mysql.conf"]).path == "/etc/mail/mysql.conf"
    with pytest.raises(SystemExit):
        parser.parse_args([])
