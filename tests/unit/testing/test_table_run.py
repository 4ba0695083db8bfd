"""One request to one table, in one call."""

import asyncio
from typing import Any

import pytest

from opensmtpd._protocol.table.connection import TableConnection
from opensmtpd.answer import Offload
from opensmtpd.table import Service, Table
from opensmtpd.testing import Hung, TableReply, ask

# --- ask ------------------------------------------------------------------------------------------


class Small(Table):
    services = (Service.ALIAS, Service.DOMAIN, Service.SOURCE, Service.AUTH)

    def lookup(self, service: Service, key: str) -> Any:
        if service is Service.DOMAIN:
            return key if key in ("example.net", "*.example.org") else None
        if key == "thread":
            return Offload(lambda: "from a thread")
        if key == "slow":
            return self.slow()
        return {"root": "alice", "bad": ""}.get(key)

    async def slow(self) -> str:
        await asyncio.sleep(0)
        return "from a coroutine"

    def fetch(self, service: Service) -> str:
        return "192.0.2.1"


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (("lookup", "alias", "Root"), ("found", "alice")),
        (("lookup", Service.ALIAS, "root"), ("found", "alice")),
        (("lookup", "alias", "bob"), ("not-found", "")),
        (("lookup", "alias", "bad"), ("error", "the value is empty")),
        (("lookup", "alias", "thread"), ("found", "from a thread")),
        (("lookup", "alias", "slow"), ("found", "from a coroutine")),
        (("check", "domain", "www.example.org"), ("found", "")),
        (("check", "domain", "www.example.net"), ("not-found", "")),
        (("fetch", "source"), ("found", "192.0.2.1")),
        (("update",), ("ok", "")),
        (("check", "auth", "nobody:secret"), ("not-found", "")),
    ],
)
def test_ask(asked: tuple[str, ...], answer: tuple[str, str]) -> None:
    assert ask(Small(), *asked) == TableReply(*answer)


def test_ask_for_what_is_not_registered() -> None:
    with pytest.raises(ValueError, match="does not ask this table for netaddr"):
        ask(Small(), "check", "netaddr", "192.0.2.1")
    with pytest.raises(ValueError, match="does not ask this table for auth"):
        ask(Small(), "check", "auth", "alice:x", version="7.6.0-portable")


def test_ask_what_is_never_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    spoken = TableConnection.data_to_send

    def mute(self: TableConnection) -> bytes:
        said = spoken(self)
        return b"" if said.startswith(b"lookup-result|") else said

    monkeypatch.setattr(TableConnection, "data_to_send", mute)
    with pytest.raises(Hung, match="alice"):
        ask(Small(), "lookup", "alias", "alice")
