"""The worker that asks the server."""

from pathlib import Path
from time import monotonic

import pytest

from opensmtpd.backends.state.steps import COUNT, GET
from opensmtpd.backends.state.valkey import worker as worker_module
from opensmtpd.backends.state.valkey.worker import ValkeyWorker
from opensmtpd.errors import ConfigError, Unavailable
from unit.support.scripted_server import says, scripted

PONG = b"+PONG\r\n"
FOREIGN = b"*2\r\n$3\r\nfoo\r\n:5\r\n"


def later() -> float:
    return monotonic() + 10


def loaded(folder: Path) -> ValkeyWorker:
    worker = ValkeyWorker()
    assert worker.load([f"unix://{folder}/s", "mx:"]) == f"unix:{folder}/s"
    return worker


def test_a_step_is_taken(tmp_path: Path) -> None:
    with scripted(tmp_path / "s", says(PONG, b":1\r\n")):
        worker = loaded(tmp_path)
        assert worker.handle([later(), COUNT, b"=a", 1, 1_000_000]) == 1
        assert worker._store is not None
        worker._store.close()


def test_a_server_that_is_away_is_told_without_the_key(tmp_path: Path) -> None:
    with pytest.raises(Unavailable) as caught:
        loaded(tmp_path).handle([later(), COUNT, b"=secret", 1, 1_000_000])
    assert "secret" not in str(caught.value)


def test_a_step_whose_time_is_over_is_not_taken(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="no time left"):
        loaded(tmp_path).handle([0.0, COUNT, b"=a", 1, 1_000_000])


def test_what_it_needs(tmp_path: Path) -> None:
    local = loaded(tmp_path)
    assert local.needs is not None
    assert local.needs.sockets == (f"{tmp_path}/s",)
    assert not local.needs.network
    remote = ValkeyWorker()
    assert remote.load(["redis://localhost:6400", "mx:"]) == "localhost:6400"
    assert remote.needs is not None
    assert remote.needs.network
    assert "/etc/hosts" in remote.needs.reads
    assert remote.needs.writes == ()


def test_a_bad_url_is_told_at_the_start() -> None:
    with pytest.raises(ConfigError, match="no URL such as redis://HOST"):
        ValkeyWorker().load(["valkey.sock", "mx:"])


def test_values_of_others_are_a_line_a_minute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    now = monotonic()
    monkeypatch.setattr(worker_module, "clock", lambda: now)
    with scripted(tmp_path / "s", says(PONG, *[FOREIGN] * 4)):
        worker = loaded(tmp_path)
        for _ in range(3):
            assert worker.handle([later(), GET, b"=a"]) is None
        now += 60
        assert worker.handle([now + 10, GET, b"=a"]) is None
        assert worker._store is not None
        worker._store.close()
    place = f"server=unix:{tmp_path}/s"
    assert capfd.readouterr().err.splitlines() == [
        f"state-not-ours values=1 {place}",
        f"state-not-ours values=3 {place}",
    ]
