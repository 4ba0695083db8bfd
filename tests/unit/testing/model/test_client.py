"""What the modelled smtpd sends, step by step, against what real ones sent."""

import re

import pytest

from opensmtpd.testing import Smtpd
from unit.support.smtpd_steps import greeted, proceed, sent, started


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


def test_unknown_version() -> None:
    with pytest.raises(ValueError, match="no model of smtpd 5"):
        Smtpd("5.9.0")


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


def test_a_whole_session() -> None:
    smtpd = started()
    client = smtpd.connect()
    assert sent(smtpd) == [
        "report link-connect|client.example|pass|192.0.2.5:40721|192.0.2.1:25",
        "filter connect|client.example|192.0.2.5",
    ]
    proceed(smtpd, client)
    assert sent(smtpd) == [
        "report filter-response|connected|proceed",
        "report protocol-server|220 example.com ESMTP OpenSMTPD",
        "report link-greeting|example.com",
    ]
    client.ehlo()
    assert sent(smtpd) == [
        "report protocol-client|EHLO client.example",
        "filter ehlo|client.example",
    ]
    proceed(smtpd, client)
    hello = sent(smtpd)
    assert hello[:2] == [
        "report filter-response|ehlo|proceed",
        "report link-identify|EHLO|client.example",
    ]
    assert hello[-1] == "report protocol-server|250 HELP"
    client.command(b"mail FROM:<bob@remote.example> size=173")
    assert sent(smtpd)[1] == "filter mail-from|bob@remote.example"
    proceed(smtpd, client)
    msgid = client.transactions[0].msgid
    assert sent(smtpd) == [
        "report filter-response|mail-from|proceed",
        "report protocol-server|250 2.0.0 Ok",
        f"report tx-begin|{msgid}",
        f"report tx-mail|{msgid}|ok|bob@remote.example",
    ]
    client.rcpt(b"alice@example.com")
    proceed(smtpd, client)
    rcpt = sent(smtpd)
    assert rcpt[1] == "filter rcpt-to|alice@example.com"
    assert rcpt[3].startswith(f"report tx-envelope|{msgid}")
    assert rcpt[-1] == f"report tx-rcpt|{msgid}|ok|alice@example.com"
    client.data()
    assert sent(smtpd) == ["report protocol-client|DATA", "filter data|"]
    proceed(smtpd, client)
    assert sent(smtpd) == [  # the first data-lines come before tx-data
        "report filter-response|data|proceed",
        "filter data-line|Received: from client.example (client.example [192.0.2.5])",
        f"filter data-line|\tby example.com (OpenSMTPD) with ESMTP id {msgid}",
        "filter data-line|\tfor <alice@example.com>;",
        "filter data-line|\tSun, 22 Nov 2026 08:21:45 +0000 (UTC)",
        'report protocol-server|354 Enter mail, end with "." on a line by itself',
        f"report tx-data|{msgid}|ok",
    ]
    client.send(b"Subject: hi\n\n.dot\n")
    assert smtpd.hung() == [(client.id, "data-line", smtpd.token("data-line"))]
    token = smtpd.token("data-line")
    for line in [b"Subject: hi", b"", b"..dot", b"."]:
        smtpd.receive(b"filter-dataline|%s|%s|%s\n" % (client.id, token, line))
    assert sent(smtpd) == [
        "filter data-line|Subject: hi",
        "filter data-line|",
        "filter data-line|..dot",
        "filter data-line|.",
        "report protocol-client|.",
        "filter commit|",
    ]
    proceed(smtpd, client)
    assert sent(smtpd) == [
        "report filter-response|commit|proceed",
        f"report protocol-server|250 2.0.0 {msgid} Message accepted for delivery",
        f"report tx-commit|{msgid}|18",
        f"report tx-reset|{msgid}",
    ]
    assert client.transactions[0].content == b"Subject: hi\n\n.dot\n"
    assert client.transactions[0].fate == "accepted"
    client.quit()
    proceed(smtpd, client)
    assert sent(smtpd) == [
        "report protocol-client|QUIT",
        "filter quit|",
        "report filter-response|quit|proceed",
        "report protocol-server|221 2.0.0 Bye",
        "report link-disconnect",
    ]
    assert smtpd.hung() == []
    assert not client.connected


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


def test_a_phase_registered_after_ready_is_never_asked() -> None:
    smtpd = started(phases=b"data")
    smtpd.receive(b"register|filter|smtp-in|connect\n")
    assert not smtpd.connect().waiting


def test_a_rewritten_sender_is_reported_as_typed() -> None:
    smtpd = started(phases=b"mail-from")
    client = greeted(smtpd)
    client.mail(b"old@remote.example")
    proceed(smtpd, client, b"rewrite|<new@example.org>")
    assert sent(smtpd)[-4:] == [
        "report filter-response|mail-from|rewrite|<new@example.org>",
        "report protocol-server|250 2.0.0 Ok",
        f"report tx-begin|{client.transactions[0].msgid}",
        f"report tx-mail|{client.transactions[0].msgid}|ok|old@remote.example",
    ]


def test_vanishing_in_the_middle_of_data() -> None:
    smtpd = started()
    client = greeted(smtpd)
    for step in (client.mail, client.rcpt, client.data):
        step()
        proceed(smtpd, client)
    client.line(b"half a")
    smtpd.data_to_send()
    client.vanish()
    msgid = client.transactions[0].msgid
    assert sent(smtpd) == [
        f"report tx-rollback|{msgid}",
        f"report tx-reset|{msgid}",
        "report link-disconnect",
    ]
    assert smtpd.hung() == []


def test_commit_rejected() -> None:
    smtpd = started(phases=b"commit")
    client = greeted(smtpd)
    client.mail()
    client.rcpt()
    client.data()
    client.send(b"hi\n")
    smtpd.data_to_send()
    proceed(smtpd, client, b"reject|550 5.7.1 No")
    transaction = client.transactions[0]
    assert sent(smtpd) == [
        "report filter-response|commit|reject|550 5.7.1 No",
        "report protocol-server|550 5.7.1 No",
        f"report tx-data|{transaction.msgid}|permfail",
        f"report tx-rollback|{transaction.msgid}",
        f"report tx-reset|{transaction.msgid}",
    ]
    assert (transaction.fate, transaction.reply) == ("rejected", b"550 5.7.1 No")
    client.mail()  # the session goes on
    assert len(client.transactions) == 2


def test_disconnect_at_commit() -> None:
    smtpd = started(phases=b"commit")
    client = greeted(smtpd)
    client.mail()
    client.rcpt()
    client.data()
    client.send(b"hi\n")
    smtpd.data_to_send()
    proceed(smtpd, client, b"disconnect|421 4.3.0 Later")
    assert [line.partition("|")[0] for line in sent(smtpd)] == [
        "report filter-response",
        "report protocol-server",
        "report tx-data",
        "report tx-rollback",
        "report tx-reset",
        "report link-disconnect",
    ]


def test_reject_at_connect_leaves_a_client_that_cannot_say_hello() -> None:
    smtpd = started(phases=b"connect")
    client = smtpd.connect()
    proceed(smtpd, client, b"reject|554 5.7.1 No service")
    assert client.replies == [b"554 5.7.1 No service"]
    client.ehlo()
    assert client.replies[-1].startswith(b"503 5.5.1")
    client.quit()
    assert not client.connected


def test_reset_rolls_back() -> None:
    smtpd = started(phases=b"rset")
    client = greeted(smtpd)
    client.mail()
    smtpd.data_to_send()
    client.rset()
    proceed(smtpd, client)
    msgid = client.transactions[0].msgid
    assert sent(smtpd)[1:] == [
        "filter rset|",
        "report filter-response|rset|proceed",
        "report protocol-server|250 2.0.0 Reset state",
        f"report tx-rollback|{msgid}",
        f"report tx-reset|{msgid}",
    ]
