"""filter-metrics on a real smtpd: what it tells is what has happened."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping

import pytest

from integration.support.metrics_server import (
    COUNTERS,
    FILE,
    OUT,
    SOCKET,
    Sample,
    connected,
    fetched,
    prepare,
    samples,
    settled,
    told,
)
from lab.peers import mail
from lab.peers.clients import CONFIRMED_PTR, NO_PTR
from lab.shows import demo
from lab.support import Lab, setups
from unit.support.prying import CONFINED, status

pytestmark = pytest.mark.parametrize("running", setups("metrics", prepare), indirect=True, ids=str)
READER = """\
import socket, sys, time
client = socket.socket(socket.AF_UNIX)
client.connect(sys.argv[1])
client.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
print("asked", flush=True)
time.sleep(600)
"""
"""Asks, and does not read."""
ALICE, BOB, OUTSIDE = demo.LOCAL, demo.STRANGER, demo.OUTSIDE


@contextlib.contextmanager
def counted(lab: Lab, wanted: Mapping[Sample, float]) -> Iterator[None]:
    """Expect that samples grow by so much, and that those beside them do not grow."""
    before = settled(lab.guide.view)
    yield
    names = {sample[:-1] for sample in wanted}

    def growth(after: dict[Sample, float]) -> dict[Sample, float]:
        return {
            sample: value - before.get(sample, 0)
            for sample, value in after.items()
            if sample[:-1] in names and value != before.get(sample, 0)
        }

    with contextlib.suppress(TimeoutError):
        told(lab.guide.view, lambda after: growth(after) == wanted)
    assert growth(samples(fetched(lab.guide.view))) == wanted


def test_a_mail_in_clear_from_a_client_with_a_name(lab: Lab) -> None:
    wanted = {
        ("opensmtpd_connections_total", "in", "pass"): 1,
        ("opensmtpd_sessions_total", "in", "none"): 1,
        ("opensmtpd_commands_total", "in", "mail", "ok"): 1,
        ("opensmtpd_commands_total", "in", "rcpt", "ok"): 1,
        ("opensmtpd_commands_total", "in", "data", "ok"): 1,
        ("opensmtpd_messages_total", "in", "commit"): 1,
        ("opensmtpd_message_size_bytes_count", "in"): 1,
        ("opensmtpd_session_duration_seconds_count", "in"): 1,
        ("opensmtpd_plugin_decisions_total", "filter-rdns", "connect", "proceed"): 1,
        ("opensmtpd_plugin_decisions_total", "filter-fcrdns", "connect", "proceed"): 1,
    }
    with counted(lab, wanted), mail.connect(CONFIRMED_PTR) as client:
        message = mail.compose(BOB, ALICE, "counted")
        assert mail.send(client, BOB, ALICE, message)[0] == 250
    assert lab.inbox.one(30).folder == "inbox"


def test_a_client_without_a_name_is_junk(lab: Lab) -> None:
    wanted = {
        ("opensmtpd_connections_total", "in", "fail"): 1,
        ("opensmtpd_filter_responses_total", "connected", "junk"): 1,
        ("opensmtpd_plugin_decisions_total", "filter-rdns", "connect", "junk"): 1,
    }
    before = settled(lab.guide.view)
    with mail.connect(NO_PTR) as client:
        client.quit()

    def grown(after: dict[Sample, float]) -> bool:
        return all(after.get(each, 0) - before.get(each, 0) == by for each, by in wanted.items())

    told(lab.guide.view, grown)


def test_refused_recipients_and_transactions_that_are_given_up(lab: Lab) -> None:
    wanted = {
        ("opensmtpd_commands_total", "in", "mail", "ok"): 1,
        ("opensmtpd_commands_total", "in", "rcpt", "permfail"): 2,
        ("opensmtpd_commands_total", "in", "rcpt", "ok"): 1,
        ("opensmtpd_messages_total", "in", "rollback"): 1,
    }
    with counted(lab, wanted), mail.connect(CONFIRMED_PTR) as client:
        client.mail(BOB)
        for user in ("noone", "no.one"):
            assert client.rcpt(f"{user}@example.com")[0] == 550
        assert client.rcpt(ALICE)[0] == 250
        client.rset()


def test_a_mail_that_goes_out_is_signed_and_delivered(lab: Lab) -> None:
    wanted = {
        ("opensmtpd_connections_total", "in", "pass"): 1,
        ("opensmtpd_connections_total", "out", "pass"): 1,
        ("opensmtpd_authentications_total", "in", "pass"): 1,
        ("opensmtpd_commands_total", "in", "mail", "ok"): 1,
        ("opensmtpd_commands_total", "in", "rcpt", "ok"): 1,
        ("opensmtpd_commands_total", "in", "data", "ok"): 1,
        ("opensmtpd_commands_total", "out", "mail", "ok"): 1,
        ("opensmtpd_commands_total", "out", "rcpt", "ok"): 1,
        ("opensmtpd_commands_total", "out", "data", "ok"): 1,
        ("opensmtpd_messages_total", "in", "commit"): 1,
        ("opensmtpd_messages_total", "out", "commit"): 1,
        ("opensmtpd_message_size_bytes_count", "in"): 1,
        ("opensmtpd_message_size_bytes_count", "out"): 1,
        ("opensmtpd_sessions_total", "in", "TLSv1.3"): 1,
        ("opensmtpd_plugin_signatures_total", "filter-dkimsign"): 1,
    }
    with counted(lab, {**wanted, ("opensmtpd_sessions_total", "out", "none"): 1}):
        with mail.submission(lab.guide) as client:
            message = mail.compose(ALICE, OUTSIDE, "goes out")
            assert mail.send(client, ALICE, OUTSIDE, message)[0] == 250
        lab.sink.take(30)


def test_wrong_passwords(lab: Lab) -> None:
    with (
        counted(lab, {("opensmtpd_authentications_total", "in", "fail"): 1}),
        mail.connect(port=587) as client,
    ):
        client.starttls(context=mail.trusting(lab.guide))
        client.ehlo()
        reply = client.docmd("AUTH PLAIN", mail.plain("alice", "not the password"))
        assert reply[0] == 535


def test_lookups_of_a_table(lab: Lab) -> None:
    found = ("opensmtpd_plugin_table_requests_total", "table-flat", "lookup", "alias", "found")
    absent = (*found[:-1], "not-found")
    before = settled(lab.guide.view)
    with mail.connect(CONFIRMED_PTR) as client:
        client.mail(BOB)
        assert client.rcpt("root@example.com")[0] == 250
        assert client.rcpt("noone@example.com")[0] == 550
        client.rset()

    def grown(after: dict[Sample, float]) -> bool:
        return all(after.get(each, 0) > before.get(each, 0) for each in (found, absent))

    told(lab.guide.view, grown)


def test_each_program_counts_in_a_file_of_its_own(lab: Lab) -> None:
    processes = {
        sample[1]: value
        for sample, value in samples(fetched(lab.guide.view)).items()
        if sample[0] == "opensmtpd_plugin_processes"
    }
    programs = ("filter-dkimsign", "filter-fcrdns", "filter-metrics", "filter-rdns", "table-flat")
    assert processes == dict.fromkeys(programs, 1.0)
    names = {each.name for each in (lab.guide.view / COUNTERS[1:]).iterdir()}
    assert names == {f"{program}.0" for program in programs}


def test_the_file_is_for_everybody_and_the_socket_is_not(lab: Lab) -> None:
    view = lab.guide.view
    assert samples((view / FILE[1:]).read_text()).keys() >= {("opensmtpd_open_sessions", "in")}
    assert oct((view / FILE[1:]).stat().st_mode) == "0o100644"
    assert oct((view / SOCKET[1:]).stat().st_mode) == "0o140660"


def test_a_worker_that_dies_is_counted(lab: Lab) -> None:
    restarts = ("opensmtpd_plugin_worker_restarts_total", "filter-dkimsign")
    before = samples(fetched(lab.guide.view))[restarts]
    (front,) = lab.server.filters("filter-dkimsign")
    children = f"/proc/{front}/task/{front}/children"
    with open(children) as file:
        worker = int(file.read().split()[-1])
    os.kill(worker, signal.SIGKILL)
    told(lab.guide.view, lambda after: after[restarts] == before + 1)


def test_it_is_confined(lab: Lab) -> None:
    assert [status(pid) for pid in lab.server.filters("filter-metrics")] == [CONFINED]
    assert "sandbox-missing" not in lab.log


def test_readers_that_are_killed_or_stopped_amid(lab: Lab) -> None:
    place = SOCKET.rpartition("/")[2]
    readers = []
    for number in (signal.SIGKILL, signal.SIGSTOP):
        reader = subprocess.Popen(
            [sys.executable, "-c", READER, place],
            cwd=lab.guide.view / OUT[1:],
            stdout=subprocess.PIPE,
        )
        readers.append(reader)
        assert reader.stdout is not None
        assert reader.stdout.readline() == b"asked\n"
        reader.send_signal(number)
    assert samples(fetched(lab.guide.view))
    with mail.connect(CONFIRMED_PTR) as client:
        assert client.noop()[0] == 250
    for reader in readers:
        reader.kill()
        reader.communicate()
    assert samples(fetched(lab.guide.view))


def test_readers_that_are_slow_or_stopped_keep_nobody_waiting(lab: Lab) -> None:
    with contextlib.ExitStack() as readers:
        for _ in range(20):
            reader = readers.enter_context(connected(lab.guide.view))
            reader.sendall(b"GET /metrics HTTP/1.0\r\n")  # and no more
        assert samples(fetched(lab.guide.view))
        with mail.connect(CONFIRMED_PTR) as client:
            message = mail.compose(BOB, ALICE, "beside slow readers")
            assert mail.send(client, BOB, ALICE, message)[0] == 250
        assert lab.inbox.one(30).folder == "inbox"
    assert samples(fetched(lab.guide.view))
