"""filter-record and table-record under a real smtpd: what they write, and that mail is as before.

filter-dkimsign is recorded, two tables on SQLite, and a filter that asks for all that holds a
password, on a disk that is soon full.
"""

import base64
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.support.checks import ALICE
from lab.peers import mail
from lab.peers.nameserver import NameServer
from lab.peers.sink import Sink
from lab.peers.verify import flaw, signatures
from lab.root import inside
from lab.root.plugin import LIBEXEC
from lab.root.server import Server
from lab.shows import moves
from lab.shows.guide import CONF, PASSWORD, records
from lab.support import ALONE, Lab, need_stage

pytestmark = ALONE
FOLDER = "/var/captures"
SMALL = 128
"""KiB of the disk that is soon full."""
NOSY = """\
#!/usr/bin/python3 -IS
import sys
for line in sys.stdin.buffer:
    if line == b"config|ready\\n":
        for each in (b"report|smtp-in|link-auth", b"report|smtp-in|protocol-client",
                     b"filter|smtp-in|auth", b"filter|smtp-in|data-line"):
            sys.stdout.buffer.write(b"register|%s\\n" % each)
        sys.stdout.buffer.write(b"register|ready\\n")
    elif line.startswith(b"filter|"):
        phase, session, token, text = line.split(b"|", 7)[4:]
        if phase == b"data-line":
            sys.stdout.buffer.write(b"filter-dataline|%s|%s|%s" % (session, token, text))
        else:
            sys.stdout.buffer.write(b"filter-result|%s|%s|proceed\\n" % (session, token))
    sys.stdout.buffer.flush()
"""
SIGNING = re.search(r'(?m)^filter "dkimsign".*$', CONF.read_text())[0]  # type: ignore[index]


def prepare(view: Path) -> None:
    """Record what the guide runs on SQLite."""
    for name, user in (("sign", "_dkimsign"), ("small", "opensmtpd"), ("tables", "opensmtpd")):
        inside.done(view, "install", "-d", "-o", user, "-m", "0700", f"{FOLDER}/{name}")
    limits = f"size={SMALL}k,mode=0777"
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", limits, "none", f"{view}{FOLDER}/small"], check=True
    )
    nosy = view / LIBEXEC / "filter-nosy"
    nosy.write_text(NOSY)
    nosy.chmod(0o755)
    conf = view / "etc/mail/smtpd.conf"
    text = conf.read_text()
    signing = SIGNING.replace('"filter-d', f'"filter-record {FOLDER}/sign/capture -- filter-d')
    nosy_line = (
        f'filter "nosy" proc-exec "filter-record --files 1 {FOLDER}/small/capture -- filter-nosy"'
    )
    text = text.replace(SIGNING, f"{signing}\n{nosy_line}")
    text = text.replace("filter { dkimsign }", "filter { nosy dkimsign }")
    for kind, name, path in re.findall(r"(?m)^(table (\w+) sqlite:(\S+))$", text):
        if name in ("aliases", "credentials"):
            record = f"/etc/mail/record-{name}.conf"
            (view / record[1:]).write_text(f"table sqlite:{path}\ncapture {FOLDER}/tables/{name}\n")
            inside.done(view, "chgrp", moves.USER, record)
            text = text.replace(kind, f"table {name} record:{record}")
    assert text.count(" record:") == 2
    conf.write_text(text)
    inside.done(view, "smtpd", "-n", "-f", moves.CONF)


@pytest.fixture(scope="module", params=["7.6", "7.9"])
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    guide = need_stage(request.param).guide(f"{request.param}-record")
    moves.to_credentials(guide)
    prepare(guide.view)
    with NameServer(records(guide)) as dns, Sink() as sink, Server(guide.view) as server:
        yield Lab(request.param, guide, server, sink, dns)
    subprocess.run(["umount", f"{guide.view}{FOLDER}/small"], check=True)


def send(lab: Lab, size: int = 100) -> bytes:
    """Log in and send; return the message that is delivered."""
    with mail.submissions(lab.guide) as client:
        text = mail.compose(ALICE, ALICE, "recorded") + b"text of it\r\n" * (size // 12)
        assert mail.send(client, ALICE, ALICE, text)[0] == 250
    return lab.inbox.one().message


def capture(lab: Lab, name: str) -> Path:
    return lab.guide.view / FOLDER[1:] / name


def written(lab: Lab, name: str, *texts: bytes) -> bytes:
    """Return a capture when all this is in it: it is written a little later."""
    until = time.monotonic() + 30
    while True:
        data = capture(lab, name).read_bytes()
        if all(text in data for text in texts):
            return data
        assert time.monotonic() < until, data[-2000:]
        time.sleep(0.05)


def operator(lab: Lab, *words: str) -> tuple[int, str, str]:
    ended = inside.tried(lab.guide.view, "opensmtpd-plugins", *words)
    return ended.returncode, ended.stdout.decode(), ended.stderr.decode()


def test_mail_is_signed_and_no_password_is_recorded(lab: Lab) -> None:
    for _ in range(3):
        delivered = send(lab)
        assert signatures(delivered) == 1
        assert flaw(delivered) is None
    client = mail.connect(port=587)
    client.starttls(context=mail.trusting(lab.guide))
    client.ehlo()
    assert client.docmd("AUTH", "LOGIN")[0] == 334  # in two lines of their own
    assert client.docmd(base64.b64encode(b"alice").decode())[0] == 334
    assert client.docmd(base64.b64encode(PASSWORD.encode()).decode())[0] == 235
    client.close()
    hash = inside.done(
        lab.guide.view, "python3", "-c",
        f"import sqlite3; print(sqlite3.connect('{moves.DATABASE}')"
        ".execute('select password from credentials').fetchone()[0])",
    ).strip()  # fmt: skip
    assert hash.startswith("$")
    found = {
        "sign/capture": written(lab, "sign/capture", b"|Subject: recorded", b"|DKIM-Signature: "),
        "small/capture": written(lab, "small/capture", b"AUTH PLAIN ***", b"|auth|", b"|pass|***"),
        "tables/aliases": written(lab, "tables/aliases", b"|lookup|alias|", b"|found|"),
        "tables/credentials": written(lab, "tables/credentials", b"|lookup|credentials|"),
    }
    secret = PASSWORD.encode()
    forms = [secret, hash.encode(), hash[-20:].encode(), mail.plain("alice", PASSWORD).encode()]
    forms += [base64.b64encode(b"x" * skipped + secret)[4:-4] for skipped in range(3)]
    for name, data in found.items():
        assert b"***" in data or name in ("sign/capture", "tables/aliases")
        for form in forms:
            assert len(form) > 7
            assert form not in data, (name, form)


def test_filter_dkimsign_signs_the_same_again(lab: Lab) -> None:
    send(lab, 30_000)
    written(lab, "sign/capture", b"|tx-reset|")
    status, said, remarks = operator(
        lab, "replay", f"{FOLDER}/sign/capture", "--", SIGNING
    )  # fmt: skip
    assert (status, remarks) == (0, ""), (said, remarks)
    assert re.fullmatch(r"equal: [\d,]+ answers to [\d,]+ requests\n", said)


def test_another_key_signs_otherwise(lab: Lab) -> None:
    other = SIGNING.replace("-s mail", "-s other")
    status, said, _ = operator(lab, "replay", f"{FOLDER}/sign/capture", "--", other)
    assert status == 1
    assert re.match(r"different, after [\d,]+ equal answers\nrecorded: filter-dataline\|", said)
    assert "s=mail;" in said or "s=other;" in said


def test_the_tables_answer_the_same_again(lab: Lab) -> None:
    send(lab)
    written(lab, "tables/aliases", b"|lookup|alias|")
    line = "sqlite:/etc/mail/{}.conf"
    status, said, _ = operator(
        lab, "replay", f"{FOLDER}/tables/aliases", "--", line.format("aliases")
    )
    assert (status, said[:7]) == (0, "equal: ")
    status, said, remarks = operator(
        lab, "replay", f"{FOLDER}/tables/credentials", "--", line.format("credentials")
    )
    assert status == 3
    assert re.search(r"not sent, because something was taken out: [1-9]\d* requests", remarks)


def test_show_prints_a_session(lab: Lab) -> None:
    status, said, remarks = operator(lab, "show", f"{FOLDER}/sign/capture")
    assert (status, remarks) == (0, "")
    assert said.startswith("# filter-dkimsign, started 20")
    session = re.findall(r"< filter\|0\.7\|[\d.]+\|smtp-in\|data-line\|(\w+)\|", said)[0]
    status, one, _ = operator(lab, "show", "--session", session, f"{FOLDER}/sign/capture")
    assert status == 0
    assert len(one) < len(said)
    assert all(session in line for line in one.splitlines()[1:])


def test_a_full_disk_loses_the_capture_and_no_mail(lab: Lab) -> None:
    for _ in range(6):
        assert flaw(send(lab, 60_000)) is None
    until = time.monotonic() + 30
    while "capture-lost" not in lab.log:
        assert time.monotonic() < until
        time.sleep(0.05)
    assert flaw(send(lab, 60_000)) is None
    lost = re.findall(r"nosy: (capture-lost .*)", lab.log)
    assert lost == [
        f'capture-lost path={FOLDER}/small/capture reason="No space left on device" remedy="see the'
        ' disk"'
    ]
    status, said, _ = operator(lab, "show", f"{FOLDER}/small/capture")
    assert status == 0
    assert "AUTH PLAIN ***" in said


def test_a_signal_reaches_the_filter(lab: Lab) -> None:
    before = lab.log.count(" reloaded")
    (recorder,) = (
        pid
        for pid in lab.server.filters("filter-record")
        if b"filter-dkimsign" in Path(f"/proc/{pid}/cmdline").read_bytes()
    )
    os.kill(recorder, signal.SIGTERM)
    os.kill(recorder, signal.SIGHUP)
    until = time.monotonic() + 30
    while lab.log.count(" reloaded") == before:
        assert time.monotonic() < until, lab.server.tail()
        time.sleep(0.05)
    assert flaw(send(lab)) is None


def test_a_restart_keeps_the_capture_of_before(lab: Lab) -> None:
    lab.server.restart()
    assert flaw(send(lab)) is None
    written(lab, "sign/capture", b"|Subject: recorded")
    assert b"register|ready" in capture(lab, "sign/capture.1").read_bytes()
    status, said, remarks = operator(lab, "replay", f"{FOLDER}/sign/capture.1", "--", SIGNING)
    assert (status, remarks) == (0, ""), said


def test_the_end_of_the_filter_is_seen_by_smtpd(lab: Lab) -> None:
    """The last test of this server: it stops, as it would without a recorder."""
    (pid,) = lab.server.filters()
    os.kill(pid, signal.SIGKILL)
    until = time.monotonic() + 30
    while lab.server.alive():
        assert time.monotonic() < until, lab.server.tail()
        time.sleep(0.05)
    assert "lost processor" in lab.log or "dkimsign" in lab.server.tail()
    written(lab, "sign/capture", b"\x03\xf7")  # the status, -9
