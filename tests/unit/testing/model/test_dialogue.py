"""The state of a session: its replies, and the reports that they make."""

from unit.support.smtpd_steps import greeted, proceed, sent, started


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
