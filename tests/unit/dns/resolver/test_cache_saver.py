"""The cache file, as the resolver keeps it."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.peers.nameserver import NameServer
from opensmtpd.dns import Found, Question, Reply
from opensmtpd.dns.resolver import cache_saver
from opensmtpd.dns.resolver.resolver import Resolver
from unit.support.dns_lab import RECORDS, A, Lab, port


@pytest.fixture
def lab() -> Iterator[Lab]:
    address = ("127.0.0.1", port())
    with NameServer(RECORDS, address) as server:
        yield Lab(server, address)


# --- the file -------------------------------------------------------------------------------------


def test_a_cache_outlives_its_process(lab: Lab, tmp_path: Path) -> None:
    path = str(tmp_path / "cache")
    lab.resolver = Resolver(lab.servers, path)
    questions = [Question("example.org", A), Question("none.example.org", A)]
    replies = lab.run(lambda: lab.ask(*questions))
    lab.resolver.save()
    count = len(lab.server.asked)
    lab.resolver = Resolver(lab.servers, path)
    assert lab.resolver.known(questions) == replies
    lab.resolver.save()  # nothing has changed
    assert len(lab.server.asked) == count


def test_a_cache_is_saved_while_it_runs(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_saver, "SAVE_EVERY", 0.05)
    path = tmp_path / "cache"
    lab.resolver = Resolver(lab.servers, str(path))

    async def job() -> list[Reply]:
        for name in ("example.org", "five.example.org"):
            path.unlink(missing_ok=True)
            await lab.ask(Question(name, A))
            while not path.exists():
                await asyncio.sleep(0.01)
        return await lab.ask(Question("example.org", A))

    lab.run(job)
    again = Resolver(lab.servers, str(path))
    assert again.known([Question("example.org", A), Question("five.example.org", A)]) == [
        Found(("192.0.2.1", "192.0.2.2")),
        Found(("192.0.2.9",)),
    ]


def test_a_damaged_file_is_one_line_in_the_log(
    lab: Lab, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "cache"
    path.touch(0o600)
    path.write_text("garbage")
    resolver = Resolver(lab.servers, str(path))
    assert capfd.readouterr().err == (
        f'dns-cache-ignored file={path} reason="it has another version or is no cache"\n'
    )
    assert resolver.known([Question("example.org", A)]) is None


def test_a_file_that_cannot_be_written_is_one_line_in_the_log(
    lab: Lab, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "cache"
    lab.resolver = Resolver(lab.servers, str(path))
    path.mkdir()

    async def job() -> None:
        for name in ("example.org", "five.example.org"):
            await lab.ask(Question(name, A))
            lab.resolver.save()

    lab.run(job)
    assert capfd.readouterr().err == (
        f'dns-cache-not-written file={path} reason="Is a directory"\n'
    )
