"""The cache file, as the resolver's process keeps it."""

import asyncio
from pathlib import Path

import pytest

from opensmtpd.dns import Absent, Found, Question, Reply
from opensmtpd.dns.resolver.process import cache_saver
from unit.support.dns_lab import A, Lab


def test_a_cache_outlives_its_process(lab: Lab, tmp_path: Path) -> None:
    path = str(tmp_path / "cache")
    lab.renew(path)
    questions = [Question("example.org", A), Question("none.example.org", A)]
    replies = lab.run(lambda: lab.ask(*questions))
    lab.save()
    count = len(lab.server.asked)
    lab.renew(path)
    assert lab.run(lambda: lab.ask(*questions)) == replies
    assert lab.resolver.known(questions) == replies
    assert len(lab.server.asked) == count


def test_a_cache_is_saved_while_it_runs(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_saver, "SAVE_EVERY", 0.05)
    path = tmp_path / "cache"
    lab.renew(str(path))

    async def job() -> list[Reply]:
        for name in ("example.org", "five.example.org"):
            path.unlink(missing_ok=True)
            await lab.ask(Question(name, A))
            while not path.exists():
                await asyncio.sleep(0.01)
        return await lab.ask(Question("example.org", A))

    lab.run(job)
    lab.renew(str(path))
    count = len(lab.server.asked)
    questions = Question("example.org", A), Question("five.example.org", A)
    assert lab.run(lambda: lab.ask(*questions)) == [
        Found(("192.0.2.1", "192.0.2.2")),
        Found(("192.0.2.9",)),
    ]
    assert len(lab.server.asked) == count


def test_a_damaged_file_is_one_line_in_the_log(
    lab: Lab, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "cache"
    path.touch(0o600)
    path.write_text("garbage")
    lab.renew(str(path))
    assert lab.one("none", A) == Absent(nxdomain=True)
    assert capfd.readouterr().err == (
        f'dns-cache-ignored file={path} reason="it has another version or is no cache"\n'
    )


def test_a_file_that_cannot_be_written_is_one_line_in_the_log(
    lab: Lab, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "cache"
    lab.renew(str(path))

    async def job() -> None:
        for name in ("example.org", "five.example.org"):
            if not path.exists():
                await lab.ask(Question("once.example.org", A))
                path.mkdir()
            await lab.ask(Question(name, A))
            lab.save()

    lab.run(job)
    assert capfd.readouterr().err == (
        f'dns-cache-not-written file={path} reason="Is a directory"\n'
    )
