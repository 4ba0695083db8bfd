"""A capture as a test: what authors of plugins call."""

from pathlib import Path

import pytest

from opensmtpd.capture.format import CaptureKind
from opensmtpd.errors import ConfigError
from opensmtpd.filter import Filter, Reject
from opensmtpd.filter.events import Helo
from opensmtpd.filter.session import Session
from opensmtpd.table import Service, Table
from opensmtpd.testing import CaptureReplay, replay_capture
from unit.support import captures
from unit.support.captures import said, talk

HEAD = "0.7|1795335705.127288|smtp-in"
HELLO = ("< config|smtpd-version|7.6.0", "< config|protocol|0.7", "< config|subsystem|smtp-in",
         "< config|ready", "> register|ready")  # fmt: skip


class Shout(Filter):
    def on_helo(self, session: Session, request: Helo) -> Reject:
        return Reject(550, request.identity.decode().upper())


class Rows(Table):
    services = (Service.ALIAS,)

    def lookup(self, service: Service, key: str) -> str | None:
        return {"alice": "bob"}.get(key)


def capture(tmp_path: Path, kind: CaptureKind, *texts: str) -> Path:
    return captures.write(tmp_path / "capture", kind, said(kind, talk(*texts)))


def ehlo(token: str, text: str) -> str:
    return f"< filter|{HEAD}|ehlo|1718c5e591926d28|{token}|{text}"


def test_a_filter(tmp_path: Path) -> None:
    path = capture(tmp_path, CaptureKind.FILTER, *HELLO, ehlo("1", "one"), ehlo("2", "two"),
                   "> filter-result|1718c5e591926d28|2|reject|550 TWO",
                   "> filter-result|1718c5e591926d28|1|reject|550 ONE")  # fmt: skip
    assert replay_capture(path, Shout()) == CaptureReplay(2, 2, 0, None, None, "")
    assert replay_capture(path, Shout()).same


def test_a_difference(tmp_path: Path) -> None:
    path = capture(tmp_path, CaptureKind.FILTER, *HELLO, ehlo("1", "one"),
                   "> filter-result|1718c5e591926d28|1|proceed")  # fmt: skip
    played = replay_capture(str(path), Shout())
    assert not played.same
    assert played.recorded == b"filter-result|1718c5e591926d28|1|proceed"
    assert played.given == b"filter-result|1718c5e591926d28|1|reject|550 ONE"


def test_a_table(tmp_path: Path) -> None:
    head = "table|0.1|1795335705.127288|users"
    path = capture(
        tmp_path, CaptureKind.TABLE, "< config|smtpd-version|7.6.0", "< config|protocol|0.1",
        "< config|tablename|users", "< config|ready", "> register|alias", "> register|ready",
        f"< {head}|lookup|alias|0a|alice", "> lookup-result|0a|found|bob",
        f"< {head}|lookup|credentials|0b|alice", "> lookup-result|0b|found|x:y",
    )  # fmt: skip
    assert replay_capture(path, Rows()) == CaptureReplay(1, 1, 1, None, None, "")


def test_a_damaged_capture(tmp_path: Path) -> None:
    path = capture(tmp_path, CaptureKind.FILTER, *HELLO)
    path.write_bytes(path.read_bytes()[:-1])
    assert "its last record is cut off" in replay_capture(path, Shout()).damage


def test_what_is_no_capture(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        replay_capture(tmp_path / "none", Shout())
