"""table-redis as a program, against a server that says what it is told to."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from opensmtpd_tables import redis
from unit.support.lookups import ID, answer, check, fetch, lookup, update
from unit.support.scripted_server import Talk, says, scripted, then_closes
from unit.support.table_child import TableChild

MAIN = "from opensmtpd_tables import redis\nredis.main()\n"
CHECKED = (
    b"+PONG\r\n",
    b"*1\r\n*3\r\n$3\r\nget\r\n:2\r\n*1\r\n+readonly\r\n" * 9,
    b"$-1\r\n" * 9,
)
"""The replies to the greeting, to COMMAND INFO, and to the trial of the nine queries."""


@contextmanager
def served(tmp_path: Path, *talks: Talk, conf: str = "") -> Iterator[TableChild]:
    path = tmp_path / "redis.conf"
    path.write_text(f"master unix:{tmp_path}/s\nfetch_source SMEMBERS s\n{conf}")
    with scripted(tmp_path / "s", *talks), TableChild(tmp_path, "", str(path), main=MAIN) as child:
        child.hello()
        yield child


def test_requests(tmp_path: Path) -> None:
    replies = [
        b"$10\r\nalice, bob\r\n",
        b"$-1\r\n",
        b"*2\r\n$4\r\n1000\r\n$-1\r\n",
        b"-WRONGTYPE no\r\n",
        b"$0\r\n\r\n",
        b"$3\r\na\nb\r\n",
        b":1\r\n",
        b"*3\r\n$9\r\n192.0.2.2\r\n$9\r\n192.0.2.1\r\n$-1\r\n",
    ]
    with served(tmp_path, says(*CHECKED, *replies)) as child:
        child.send(lookup())
        assert child.lines() == [answer(b"found|alice, bob")]
        child.send(lookup())
        assert child.lines() == [answer(b"not-found")]
        child.send(lookup(service=b"userinfo"))
        assert child.lines() == [answer(b"not-found")]
        child.send(lookup())
        [line] = child.lines()
        assert line.startswith(answer(b"error|")[:-1])
        child.send(lookup())
        assert child.lines() == [answer(b"not-found")]
        child.send(lookup())  # a value that would end smtpd
        [line] = child.lines()
        assert line.startswith(answer(b"error|")[:-1])
        child.send(check(service=b"domain"))
        assert child.lines() == [answer(b"found", b"check")]
        child.send(fetch(), fetch(), fetch())
        assert child.lines(3) == [
            answer(b"found|192.0.2.1", b"fetch"),
            answer(b"found|192.0.2.2", b"fetch"),
            answer(b"found|192.0.2.1", b"fetch"),
        ]
        child.send(lookup(service=b"mailaddrmap"))  # no query, and no question
        [line] = child.lines()
        assert b"no query_mailaddrmap" in line
        assert child.end()[:2] == (0, b"")


def test_it_reconnects_within_a_request(tmp_path: Path) -> None:
    second = says(b"+PONG\r\n", b"$3\r\nbob\r\n")
    with served(tmp_path, then_closes(*CHECKED), second) as child:
        child.send(lookup())
        assert child.lines() == [answer(b"found|bob")]
        assert child.end()[:2] == (0, b"")


def test_it_starts_without_the_server(tmp_path: Path) -> None:
    with served(tmp_path) as child:
        child.send(lookup(), check(service=b"domain"))
        first, second = child.lines(2)
        assert first.startswith(answer(b"error|")[:-1])
        assert second.startswith(answer(b"error|", b"check")[:-1])
        status, _, logged = child.end()
        assert status == 0
        assert logged.count("server-away") == 1


def test_update(tmp_path: Path) -> None:
    again = says(*CHECKED, b"$3\r\nbob\r\n")
    with served(tmp_path, says(*CHECKED), again) as child:
        (tmp_path / "redis.conf").write_text("database x\n")
        child.send(update())
        [line] = child.lines()
        assert line.startswith(b"update-result|%s|error|" % ID)
        assert b"bad value for database" in line
        (tmp_path / "redis.conf").write_text(
            f"master unix:{tmp_path}/s\nfetch_source SMEMBERS other\n"
        )
        child.send(update(), lookup())
        assert child.lines(2) == [b"update-result|%s|ok\n" % ID, answer(b"found|bob")]
        assert child.end()[:2] == (0, b"")


def test_the_log_has_no_password(tmp_path: Path) -> None:
    refuses = says(b"-ERR unknown command 'AUTH', with args beginning with: 's3cret'\r\n+PONG\r\n")
    with served(tmp_path, refuses, conf="password s3cret\n") as child:
        child.send(lookup())
        [line] = child.lines()
        assert b"s3cret" not in line
        status, _, logged = child.end()
        assert status == 0
        assert "refuses AUTH: ERR" in logged
        assert "s3cret" not in logged


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        redis.parser().parse_args(["--help"])
    assert ended.value.code == 0
    assert "query_alias LRANGE aliases:%s 0 -1" in capsys.readouterr().out
