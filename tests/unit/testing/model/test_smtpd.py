"""The model of smtpd itself: its handshake, its lines, and the chain of filters."""

import re

import pytest

from opensmtpd.testing import Fatal, Smtpd
from unit.support.smtpd_steps import echo, proceed, sent, started


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        (
            "6.8.0",
            b"config|smtpd-version|6.8.0p2\nconfig|smtp-session-timeout|300\n"
            b"config|subsystem|smtp-in\nconfig|admd|example.com\nconfig|ready\n",
        ),
        (
            "7.6.0",
            b"config|smtpd-version|7.6.0-portable\nconfig|protocol|0.7\n"
            b"config|smtp-session-timeout|300\nconfig|subsystem|smtp-in\n"
            b"config|admd|example.com\nconfig|ready\n",
        ),
        (
            "7.9",
            b"config|smtpd-version|7.9.0-portable\nconfig|protocol|0.7\n"
            b"config|smtp-session-timeout|300\nconfig|subsystem|smtp-in\n"
            b"config|admd|example.com\nconfig|ready\n",
        ),
    ],
)
def test_handshake(version: str, expected: bytes) -> None:
    assert Smtpd(version).data_to_send() == expected


def test_no_client_before_ready() -> None:
    with pytest.raises(RuntimeError, match="before the filter is ready"):
        Smtpd().connect()


def test_a_line_as_smtpd_writes_it() -> None:
    smtpd = started()
    client = smtpd.connect(rdns=b"<unknown>", fcrdns="error", source=b"[2001:db8::1]:25")
    lines = smtpd.data_to_send().split(b"\n")
    assert lines[0] == (
        b"report|0.7|1795335705.000001|smtp-in|link-connect|%s|<unknown>|error|"
        b"[2001:db8::1]:25|192.0.2.1:25" % client.id
    )
    assert lines[1] == (
        b"filter|0.7|1795335705.000002|smtp-in|connect|%s|%s|<unknown>|[2001:db8::1]"
        % (client.id, smtpd.token("connect"))
    )
    assert re.fullmatch(b"[0-9a-f]{16}", client.id)


def test_local_client() -> None:
    smtpd = started()
    smtpd.connect(rdns=b"localhost", source=b"unix:/run/smtpd.sock")
    assert sent(smtpd)[1] == "filter connect|localhost|local"


def test_only_what_is_registered_is_sent() -> None:
    smtpd = Smtpd()
    smtpd.receive(
        b"register|report|smtp-in|tx-mail\nregister|filter|smtp-in|commit\nregister|ready\n"
    )
    smtpd.data_to_send()
    client = smtpd.connect()
    client.ehlo()
    client.mail()
    client.rcpt()
    client.data()
    client.send(b"hello\n")
    msgid = client.transactions[0].msgid
    assert sent(smtpd) == [f"report tx-mail|{msgid}|ok|bob@remote.example", "filter commit|"]
    assert client.transactions[0].lines[-1] == b"hello"
    assert len(client.transactions[0].lines) == 5


def test_two_places_in_the_chain() -> None:
    smtpd = started(phases=b"connect data-line", places=2)
    client = smtpd.connect()
    first, second = smtpd.token("connect", 0), smtpd.token("connect", 1)
    assert first != second
    assert smtpd.hung() == [(client.id, "connect", first)]
    proceed(smtpd, client)
    assert smtpd.hung() == [(client.id, "connect", second)]
    proceed(smtpd, client, place=1)
    assert smtpd.hung() == []
    client.ehlo()
    client.mail()
    client.rcpt()
    client.data()
    client.send(b"hello\n")
    echo(smtpd)
    assert client.waiting
    echo(smtpd)
    assert client.transactions[0].fate == "accepted"
    assert client.transactions[0].lines[-1] == b"hello"


def test_junk_ends_the_chain() -> None:
    smtpd = started(phases=b"connect", places=2)
    client = smtpd.connect()
    proceed(smtpd, client, b"junk")
    assert not client.waiting
    assert client.junk


def test_tokens_are_those_of_the_phase() -> None:
    smtpd = started(phases=b"connect ehlo")
    one, other = smtpd.connect(), smtpd.connect()
    tokens = {
        line.split(b"|")[6] for line in smtpd.data_to_send().split(b"\n") if b"filter|" in line
    }
    assert tokens == {smtpd.token("connect")}
    assert one.id != other.id
    assert smtpd.token("ehlo") not in tokens


def test_the_process_exits(smtpd: Smtpd) -> None:
    with pytest.raises(Fatal, match="lost processor"):
        smtpd.exited()
