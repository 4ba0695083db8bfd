"""examples/filter_rcpt_limit.py: strangers may name so many recipients, users any number."""

from argparse import Namespace

from filter_rcpt_limit import RcptLimit
from opensmtpd.testing import Driver, SmtpClient, Smtpd, filter_connection


class Server:
    """smtpd with the filter; two recipients a session are allowed."""

    def __init__(self) -> None:
        self.smtpd = Smtpd()
        connection = filter_connection(RcptLimit(Namespace(recipients=2)))
        self.driver = Driver(connection, self.smtpd.receive)
        self.run()

    def run(self) -> None:
        while data := self.smtpd.data_to_send():
            self.driver.feed(data)

    def client(self, username: bytes | None = None) -> SmtpClient:
        client = self.smtpd.connect()
        self.run()
        self.say(client, "ehlo")
        if username is not None:
            self.say(client, "starttls")
            self.say(client, "ehlo")
            self.say(client, "auth", username)
        self.say(client, "mail")
        return client

    def say(self, client: SmtpClient, command: str, *arguments: bytes) -> bytes:
        getattr(client, command)(*arguments)
        self.run()
        return client.replies[-1]


def codes(server: Server, client: SmtpClient, count: int) -> list[bytes]:
    return [
        server.say(client, "rcpt", b"user%d@example.com" % number)[:3] for number in range(count)
    ]


def test_the_third_recipient_ends_the_session_of_a_stranger() -> None:
    server = Server()
    client = server.client()
    assert codes(server, client, 2) == [b"250", b"250"]
    assert server.say(client, "rcpt") == b"421 4.7.1 Too many recipients"
    assert not client.connected


def test_recipients_of_all_transactions_count() -> None:
    server = Server()
    client = server.client()
    assert codes(server, client, 2) == [b"250", b"250"]
    server.say(client, "rset")
    server.say(client, "mail")
    assert server.say(client, "rcpt")[:3] == b"421"


def test_each_session_counts_its_own() -> None:
    server = Server()
    for client in (server.client(), server.client()):
        assert codes(server, client, 2) == [b"250", b"250"]


def test_users_are_not_limited() -> None:
    server = Server()
    client = server.client(b"alice")
    assert codes(server, client, 5) == [b"250"] * 5
