"""A plugin with a connection that it keeps from its start to its stop, and ``served``."""

import asyncio

import pytest

from opensmtpd.errors import LocalError
from opensmtpd.filter import JUNK, PROCEED, Filter, MailFrom, PhaseDecision, Session
from opensmtpd.table import Service, Table
from opensmtpd.testing import ask, run_message, served


class Connected:
    """Keeps a connection to a server of its own that answers each line."""

    async def start(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        host, port = self.server.sockets[0].getsockname()
        self.reader, self.writer = await asyncio.open_connection(host, port)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(b"re: " + line)
        writer.close()

    async def ask(self, question: bytes) -> bytes:
        self.writer.write(question + b"\n")
        return (await self.reader.readline()).removesuffix(b"\n")

    async def stop(self) -> None:
        assert asyncio.get_running_loop() is self.loop
        self.writer.close()
        await self.writer.wait_closed()
        self.server.close()


class ConnectedFilter(Connected, Filter):
    async def on_mail_from(self, session: Session, request: MailFrom) -> PhaseDecision:
        return PROCEED if await self.ask(request.address) == b"re: bob@remote.example" else JUNK


class ConnectedTable(Connected, Table):
    services = (Service.ALIAS,)

    async def lookup(self, service: Service, key: str) -> str:
        return (await self.ask(key.encode())).decode()


def test_a_connection_is_there_from_start_to_stop() -> None:
    with served(ConnectedFilter()) as filter:
        for _ in range(2):
            assert run_message(filter).decisions == (("mail-from", b"proceed"),)
    assert filter.loop.is_closed()
    with served(ConnectedTable()) as table:
        for _ in range(2):
            assert ask(table, "lookup", "alias", "root") == ("found", "re: root")
    assert table.loop.is_closed()


def test_two_plugins_share_the_loop() -> None:
    with served(ConnectedFilter()) as filter:
        with served(ConnectedTable()) as table:
            assert filter.loop is table.loop
        assert run_message(filter).accepted
    assert filter.loop.is_closed()


class Plain(Filter):
    def __init__(self, result: object = None) -> None:
        self.result = result
        self.calls: list[str] = []

    def start(self) -> None:
        self.calls.append("start")
        if isinstance(self.result, Exception):
            raise self.result
        return self.result  # type: ignore[return-value]  # as an author may by mistake

    def stop(self) -> None:
        self.calls.append("stop")


def test_plain_methods_and_a_test_that_fails() -> None:
    filter = Plain()
    with pytest.raises(AssertionError, match="of the test"), served(filter):
        raise AssertionError("of the test")
    assert filter.calls == ["start", "stop"]


@pytest.mark.parametrize(
    ("result", "kind", "text"),
    [(OSError("no server"), OSError, "no server"), (1, LocalError, "start returned a int")],
)
def test_a_plugin_that_does_not_start(result: object, kind: type[Exception], text: str) -> None:
    filter = Plain(result)
    with pytest.raises(kind, match=text), served(filter):
        pytest.fail("it was served")
    assert filter.calls == ["start"]


def test_a_test_that_is_async() -> None:
    filter = ConnectedFilter()

    async def test() -> None:
        run_message(filter)

    text = r"^the test kit runs a loop of its own: call it outside of async def$"
    with pytest.raises(RuntimeError, match=text):
        asyncio.run(test())
