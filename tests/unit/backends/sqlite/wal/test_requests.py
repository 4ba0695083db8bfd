"""What crosses between the front and the worker that reads databases in WAL mode."""

from pathlib import Path

from opensmtpd.backends.sqlite import config
from opensmtpd.backends.sqlite.wal.requests import config_of, plain
from opensmtpd.worker.frames import FrameBuffer, pack
from unit.support.sqlite_files import LOOKUP, settings


def test_a_configuration_is_the_same_on_the_other_side(tmp_path: Path) -> None:
    read = config.read(
        str(
            settings(
                tmp_path / "test.db",
                f"query_alias {LOOKUP}",
                "query_domain SELECT 'x' -- \N{SNOWMAN}",
                "constant_domain yes",
                "busy_timeout 0.25",
            )
        )
    )
    [data] = FrameBuffer().feed(pack(plain(read)))
    other = config_of(data)
    for name in ("path", "dbpath", "busy_timeout", "constant"):
        assert getattr(other, name) == getattr(read, name)
    assert other.busy_timeout == 0.25
    assert {key: vars(each) for key, each in other.statements.items()} == {
        key: vars(each) for key, each in read.statements.items()
    }
