"""filter-metrics, with the lines that smtpd sends."""

import socket
import stat
from pathlib import Path

import pytest

from opensmtpd import answer
from opensmtpd._protocol.filter.connection import FilterConnection
from opensmtpd.errors import ConfigError
from opensmtpd_filters.metrics import Metrics, parser

REPORTS = (
    *("link-connect", "link-disconnect", "link-tls", "link-auth", "tx-mail", "tx-rcpt", "tx-data"),
    *("tx-commit", "tx-rollback", "filter-response", "timeout"),
)


def connected(*words: str) -> tuple[Metrics, FilterConnection]:
    filter = Metrics(parser().parse_args([*words]))
    connection = FilterConnection(filter)
    connection.receive(b"config|protocol|0.7\nconfig|ready\n", 0.0)
    return filter, connection


def test_it_hears_both_directions_and_is_asked_nothing(tmp_path: Path) -> None:
    _, connection = connected("--file", str(tmp_path / "a.prom"))
    lines = connection.data_to_send().decode().splitlines()
    wanted = {
        f"register|report|{each}|{name}" for each in ("smtp-in", "smtp-out") for name in REPORTS
    }
    assert lines[-1] == "register|ready"
    assert set(lines[:-1]) == wanted
    assert len(lines) == len(wanted) + 1


def test_what_smtpd_reports_is_told(tmp_path: Path) -> None:
    filter, connection = connected("--file", str(tmp_path / "a.prom"))
    lines = (
        b"smtp-in|link-connect|0000000000000001|a.example|pass|192.0.2.1:9|192.0.2.2:25",
        b"smtp-out|link-connect|0000000000000002|b.example|pass|192.0.2.2:9|192.0.2.9:25",
        b"smtp-in|tx-rcpt|0000000000000001|018a64ac|permfail|secret@example.org",
        b"smtp-out|tx-commit|0000000000000002|018a64ac|99",
        b"smtp-out|link-disconnect|0000000000000002",
    )
    for line in lines:
        connection.receive(b"report|0.7|1795335705.127288|" + line + b"\n", 1.0)
    connection.data_to_send()
    text = filter.text().decode()
    for said in (
        'opensmtpd_connections_total{direction="in",fcrdns="pass"} 1',
        'opensmtpd_connections_total{direction="out",fcrdns="pass"} 1',
        'opensmtpd_commands_total{direction="in",command="rcpt",result="permfail"} 1',
        'opensmtpd_messages_total{direction="out",result="commit"} 1',
        'opensmtpd_open_sessions{direction="in"} 1',
        'opensmtpd_open_sessions{direction="out"} 0',
    ):
        assert said in text.splitlines()
    assert "secret" not in text
    assert "example" not in text
    assert "192.0.2" not in text


def test_the_file_is_there_from_the_start(tmp_path: Path) -> None:
    path = tmp_path / "a.prom"
    filter, _ = connected("--file", str(path))
    filter.start()
    assert path.read_text().endswith("# EOF\n")
    path.unlink()
    writing = filter.write()
    assert writing is not None
    writing.function()
    assert path.exists()
    path.unlink()
    filter.stop()
    assert path.exists()


def test_the_socket(tmp_path: Path) -> None:
    path = tmp_path / "a.sock"
    filter, _ = connected("--socket", str(path))
    filter.start()
    assert stat.S_ISSOCK(path.stat().st_mode)
    assert filter.write() is None
    (source,) = [each for each in answer.sources() if each is filter.server]
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        for _ in range(3):
            list(source.receive())
        assert client.recv(1 << 20).startswith(b"HTTP/1.0 200 OK\r\n")
    filter.stop()


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        ([], "nobody could read the metrics"),
        (["--file", "a.prom"], "not the whole path"),
        (["--file", "/nowhere/a.prom"], "no such directory"),
        (["--socket", "/nowhere/a.sock"], "no such directory"),
    ],
)
def test_options_that_cannot_be_used(words: list[str], fault: str) -> None:
    with pytest.raises(ConfigError, match=fault):
        connected(*words)


def test_needs(tmp_path: Path) -> None:
    filter, _ = connected("--file", str(tmp_path / "a.prom"))
    assert filter.needs is not None
    assert str(tmp_path) in filter.needs.writes
    assert (filter.needs.network, filter.needs.accepts) == (False, False)
