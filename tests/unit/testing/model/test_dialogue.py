"""The state of a session: its replies, and the reports that they make."""

import pytest

from opensmtpd.testing.model.dialogue import Dialogue
from opensmtpd.testing.model.registry import RELEASES
from opensmtpd.testing.model.transaction import Transaction
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


# --- a session by itself --------------------------------------------------------------------------


class Deaf:
    """A server that notes the reports, and the sessions that are over."""

    release = RELEASES["7.6.0"]

    def __init__(self) -> None:
        self.said: list[tuple[bytes | str, ...]] = []
        self.over: list[Dialogue] = []

    def report(self, session: bytes, event: str, *fields: bytes | str) -> None:
        assert session == b"1718c5e591926d28"
        self.said.append((event, *fields))

    def ask(self, session: Dialogue, phase: str, argument: bytes) -> None:
        raise AssertionError(phase)

    def ask_line(self, session: Dialogue, line: bytes) -> None:
        raise AssertionError(line)

    def forget(self, session: Dialogue) -> None:
        self.over.append(session)

    def number(self, digits: int) -> str:
        return "0" * digits


def dialogue(server: Deaf, verb: str = "", line: bytes = b"") -> Dialogue:
    """Return a session with an open transaction, in the midst of a command."""
    made = Dialogue(server, b"1718c5e591926d28", b"client.example", b"192.0.2.5")
    made.transaction = Transaction("018a64ac", b"bob@remote.example", [b"a@example.com"])
    made.verb, made.command_line = verb, line
    return made


@pytest.mark.parametrize(
    ("verb", "line", "reply", "said"),
    [
        (
            "mail-from",
            b"MAIL FROM:<Bob@remote.example> SIZE=1",
            b"250 2.0.0 Ok",
            [("tx-begin", "018a64ac"), ("tx-mail", "018a64ac", "ok", b"Bob@remote.example")],
        ),
        (
            "mail-from",
            b"MAIL FROM:<b@x>",
            b"553 5.1.0 No",
            [("tx-mail", "018a64ac", "permfail", b"b@x")],
        ),
        (
            "rcpt-to",
            b"RCPT TO:<a@b>",
            b"451 4.3.0 x",
            [("tx-rcpt", "018a64ac", "tempfail", b"a@b")],
        ),
        ("rcpt-to", b"RCPT TO:<a@b", b"501 5.1.3 x", []),  # no address that ends
        ("data", b"DATA", b"354 go on", [("tx-data", "018a64ac", "ok")]),
        ("data", b"DATA", b"550 5.7.1 No", [("tx-data", "018a64ac", "permfail")]),
        ("data", b"DATA", b"250 2.0.0 accepted", []),
        ("rcpt-to", b"RCPT TO:<a@b>", b"354 go on", []),
        ("noop", b"NOOP", b"250 2.0.0 Ok", []),
    ],
)
def test_what_a_reply_makes_known(
    verb: str, line: bytes, reply: bytes, said: list[tuple[bytes | str, ...]]
) -> None:
    server = Deaf()
    some = dialogue(server, verb, line)
    some.reply(reply)
    assert some.replies == [reply]
    assert server.said == [("protocol-server", reply), *said]


def test_without_a_transaction_a_reply_is_a_reply() -> None:
    server = Deaf()
    some = dialogue(server, "mail-from", b"MAIL FROM:<b@x>")
    some.transaction = None
    some.reply(b"250 2.0.0 Ok")
    some.roll_back()
    assert server.said == [("protocol-server", b"250 2.0.0 Ok")]
    with pytest.raises(AssertionError):
        some.open_transaction()


def test_who_hangs_up_is_gone_once() -> None:
    server = Deaf()
    some = dialogue(server)
    transaction = some.open_transaction()
    some.in_data = some.waiting = True
    some.hang_up()
    some.hang_up()
    assert server.said == [
        ("tx-rollback", "018a64ac"),
        ("tx-reset", "018a64ac"),
        ("link-disconnect",),
    ]
    assert server.over == [some]
    assert (some.connected, some.waiting, some.in_data) == (False, False, False)
    assert (transaction.fate, some.transaction) == ("rolled back", None)


@pytest.mark.parametrize(("length", "reported"), [(254, 1), (255, 0)])
def test_a_long_address_is_not_reported(length: int, reported: int) -> None:
    smtpd = started(phases=b"")
    client = greeted(smtpd)
    client.mail(b"a" * length)
    assert client.replies[-1] == b"250 2.0.0 Ok"
    assert sum(line.startswith("report tx-mail|") for line in sent(smtpd)) == reported
