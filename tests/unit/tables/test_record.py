"""table-record as a process: the table that it runs, and the capture."""

import socket
import subprocess
import sys
from pathlib import Path

from opensmtpd.capture.format import CapturedLines
from opensmtpd.capture.reader import CaptureReader
from unit.support.recorder import FOREVER, script, written

HEAD = b"table|0.1|1795335705.127288|users|"
HELLO = b"config|smtpd-version|7.9.0\nconfig|protocol|0.1\nconfig|tablename|users\nconfig|ready\n"


def test_a_table_is_recorded_without_logins(tmp_path: Path) -> None:
    (tmp_path / "rows").write_text("# @auth\nalice: bob\n")
    conf, capture = tmp_path / "record.conf", tmp_path / "capture"
    conf.write_text(f"table flat:{tmp_path}/rows\ncapture {capture}\n")
    ours, theirs = socket.socketpair()
    ours.settimeout(FOREVER)
    # Beside the programs of this environment, where it looks first.
    program = Path(sys.executable).with_name("table-record")
    with theirs:
        process = subprocess.Popen(
            [program, conf],
            stdin=theirs.fileno(),
            stdout=theirs.fileno(),
            stderr=subprocess.PIPE,
        )
    ours.sendall(HELLO)
    heard = b""
    while not heard.endswith(b"register|ready\n"):
        heard += ours.recv(4096)
    answers = []
    for request in (b"lookup|alias|0a|alice", b"check|auth|0b|alice:secret"):
        ours.sendall(HEAD + request + b"\n")
        answers.append(ours.recv(4096))
    ours.close()
    process.communicate(timeout=FOREVER)
    assert process.returncode == 0
    assert answers[0] == b"lookup-result|0a|found|bob\n"
    assert answers[1].startswith(b"check-result|0b|")
    assert b"secret" not in written(capture, b"check|auth|0b|***")
    reader = CaptureReader(str(capture))
    assert (reader.header.kind, reader.header.program) == ("table", "table-flat")
    said = b"".join(entry.data for entry in reader if isinstance(entry, CapturedLines))
    assert HEAD + b"lookup|alias|0a|alice\n" + answers[0] in said


def run(conf: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "opensmtpd_tables.record", *options, str(conf)]
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


def test_the_check(tmp_path: Path) -> None:
    conf = tmp_path / "record.conf"
    conf.write_text(f"table x:/rows\ncapture {tmp_path}/capture\n")
    done = run(conf, "-n")
    assert (done.returncode, done.stderr) == (
        1,
        "table-record: there is no program table-x; write its whole path\n",
    )
    conf.write_text(f"table {Path(script(tmp_path / 'table-x', '')).name[6:]}:/rows\n")
    done = run(conf, "-n")
    assert done.returncode == 1
    assert "no capture; say" in done.stderr
    assert run(tmp_path / "none").returncode == 1
