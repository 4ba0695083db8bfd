"""Sessions of a client, step by step, against what real ones sent."""

from unit.support.smtpd_steps import greeted, proceed, sent, started


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
