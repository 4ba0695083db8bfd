"""Recordings of smtpd 7.6 and 7.9 and their tables, replayed to tables of ours.

The recorded plugin answered all with the same value. Ours that has the rows for it must say the
same, line by line, but for the handshake: there only the set of services is compared, since ours
come in an order of their own and smtpd takes any. The plugin registered ``auth`` with smtpd 7.6,
too, which ours does only where it is forced.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from opensmtpd._protocol.table.connection import TableConnection
from opensmtpd.answer import Offload
from opensmtpd.table import Service, Table
from opensmtpd.table.passwords import checks, encrypt
from opensmtpd.testing import Driver, Fatal, TableSmtpd, Transcript
from transcripts.conftest import recordings

NAMES = ["aliases", "creds", "domains", "hosts", "users"]
PASSWORD = encrypt("wrong|pw")
"""What the recorded client sent."""


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    chosen: str = request.param
    return chosen


@pytest.fixture(params=["7.6", "7.9"])
def recorded(request: pytest.FixtureRequest, name: str) -> Transcript:
    """The recording of a table; without it the test is skipped."""
    path = recordings() / f"table-{name}-smtpd-{request.param}.txt"
    if not path.is_file():
        pytest.skip(f"no recording {path}; OPENSMTPD_PLUGINS_TRANSCRIPTS names another directory")
    return Transcript.read(path)


@pytest.fixture(autouse=True, scope="module")
def patient() -> Iterator[None]:
    """Give a password all the time that a busy machine needs: not that is compared here."""
    checks.checks.cache_clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checks, "SECONDS", 60.0)
        yield
    checks.checks.cache_clear()


class AsRecorded(Table):
    """Has all the rows that the recorded plugin had."""

    services = (
        *(Service.AUTH, Service.CREDENTIALS, Service.ALIAS, Service.DOMAIN, Service.USERINFO),
        *(Service.MAILADDRMAP, Service.SOURCE),
    )
    force_auth = True

    def lookup(self, service: Service, key: str) -> Any:
        if service is Service.AUTH:
            return PASSWORD if key == "alice" else None
        return "alice@example.com" if service is Service.MAILADDRMAP else "alice"


class Waits(AsRecorded):
    """Says the same from coroutines."""

    async def lookup(self, service: Service, key: str) -> Any:
        return super().lookup(service, key)


class Offloads(AsRecorded):
    """Says the same from threads."""

    def lookup(self, service: Service, key: str) -> Any:
        if service is Service.AUTH:
            return super().lookup(service, key)
        return Offload(lambda: super(Offloads, self).lookup(service, key))


def split(lines: list[bytes]) -> tuple[list[bytes], list[bytes]]:
    """Return what is registered, and the rest."""
    end = lines.index(b"register|ready") + 1
    return lines[:end], lines[end:]


def replayed(recorded: Transcript, table: Table, chunk: int | None) -> list[bytes]:
    """Return the lines that a table answers with; chunks are bytes, None means line by line."""
    out = bytearray()
    driver = Driver(TableConnection(table), out.extend)
    stream = b"".join(line + b"\n" for line in recorded.smtpd)
    for piece in _pieces(stream, chunk):
        driver.feed(piece)
    lines = bytes(out).split(b"\n")
    assert lines.pop() == b""
    return lines


def _pieces(stream: bytes, chunk: int | None) -> Iterator[bytes]:
    if chunk is None:
        yield from stream.splitlines(keepends=True)
        return
    for at in range(0, len(stream), chunk):
        yield stream[at : at + chunk]


@pytest.mark.parametrize("chunk", [None, 1, 7, 1 << 20])
@pytest.mark.parametrize("kind", [AsRecorded, Waits, Offloads])
def test_the_answers_are_the_recorded_ones(
    recorded: Transcript, kind: type[Table], chunk: int | None
) -> None:
    registered, answers = split(replayed(recorded, kind(), chunk))
    theirs, expected = split(recorded.plugin)
    assert answers == expected
    assert sorted(registered) == sorted(theirs)
    assert registered[-1] == b"register|ready"


def test_the_model_asks_and_judges_as_smtpd_did(recorded: Transcript, name: str) -> None:
    """What it sends differs from the recording in ids and times alone."""
    smtpd = TableSmtpd(recorded.version, name)
    hello = [line for line in recorded.smtpd if line.startswith(b"config|")]
    assert smtpd.data_to_send() == b"".join(line + b"\n" for line in hello)
    registered, answers = split(recorded.plugin)
    smtpd.receive(b"".join(line + b"\n" for line in registered))
    for line, said in zip(recorded.smtpd[len(hello) :], answers, strict=True):
        *head, verb, service, id, key = line.split(b"|", 7)
        smtpd.ask(verb.decode(), service.decode(), key.decode())
        sent = smtpd.data_to_send().rstrip(b"\n").split(b"|", 7)
        assert [*sent[:2], *sent[3:6], sent[7]] == [*head[:2], head[3], verb, service, key]
        asked = smtpd.waiting[0]
        with pytest.raises(Fatal):
            smtpd.receive(said + b"\n")  # with the recorded id it is another's answer
        smtpd.receive(said.replace(id, asked.id.encode()) + b"\n")
    assert [answer.result for answer in smtpd.answers] == ["found"] * len(answers)
    assert not smtpd.waiting


def test_some_recordings_have_requests() -> None:
    paths = list(recordings().glob("table-*-smtpd-7.*.txt"))
    if not paths:
        pytest.skip("no recordings")
    asked = [
        line for path in paths for line in Transcript.read(path).smtpd if line[:6] == b"table|"
    ]
    assert len(asked) > 50
