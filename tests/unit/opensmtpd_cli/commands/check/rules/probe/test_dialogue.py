"""A conversation with a server that may say anything."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from opensmtpd_cli.commands.check.rules.probe import dialogue
from opensmtpd_cli.commands.check.rules.probe.dialogue import Conversation, SmtpReply


@contextmanager
def served(said: bytes, *, then: Callable[[socket.socket], object] | None = None) -> Iterator[int]:
    """Yield the port of a server that says this to whoever comes, and closes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            client, _ = listener.accept()
            with client:
                client.sendall(said)
                if then:
                    then(client)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


def heard(said: bytes) -> SmtpReply:
    with served(said) as port, socket.create_connection(("127.0.0.1", port)) as connection:
        return Conversation(connection).reply()


def test_replies() -> None:
    assert heard(b"220 mail.example ESMTP\r\n") == (220, ("mail.example ESMTP",))
    assert heard(b"250\n") == (250, ("",))
    hello = heard(b"250-mail.example\r\n250-SIZE 100\r\n250 starttls\r\n")
    assert hello.offers("STARTTLS")
    assert hello.offers("SIZE")
    assert not hello.offers("AUTH")
    assert hello.text == "250 starttls"


def test_a_text_is_harmless() -> None:
    text = SmtpReply(550, ("no\x1b[31m \u202e" + "x" * 300,)).text
    assert text.startswith("550 no?[31m ?xxx")
    assert len(text) == 4 + dialogue._SHOWN


@pytest.mark.parametrize(
    "said",
    [
        b"hello\r\n",
        b"22x\r\n",
        b"220_\r\n",
        b"220 " + b"x" * 3000 + b"\r\n",
        b"220-x\r\n" * 200,
        b"\xff\xfe\r\n",
        b"220-x\r\n",
        b"",
    ],
)
def test_what_is_no_smtp(said: bytes) -> None:
    with pytest.raises(OSError, match=r"no SMTP|closed the connection"):
        heard(said)


def test_a_line_without_an_end() -> None:
    endless = b"2" * (dialogue._LINE_MAX * dialogue._LINES_MAX + 10)
    with pytest.raises(OSError, match="no SMTP"):
        heard(endless)


def test_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialogue, "STEP", 0.05)
    with (
        served(b"", then=lambda client: client.recv(1)) as port,
        socket.create_connection(("127.0.0.1", port)) as connection,
    ):
        with pytest.raises(TimeoutError):
            Conversation(connection).reply()
        connection.send(b"x")


def test_commands() -> None:
    said: list[bytes] = []
    with (
        served(b"250 ok\r\n", then=lambda client: said.append(client.recv(100))) as port,
        socket.create_connection(("127.0.0.1", port)) as connection,
    ):
        assert Conversation(connection).ask("NOOP").code == 250
    assert said == [b"NOOP\r\n"]


def test_connections_of_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    with served(b"220 x\r\n") as port:
        monkeypatch.setattr(dialogue, "PORT", port)
        conversation = dialogue.connect("127.0.0.1")
        assert conversation.reply().code == 220
        assert conversation.own == conversation.peer == "127.0.0.1"
        conversation.close()
