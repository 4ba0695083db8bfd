"""Files with passwords for servers."""

from pathlib import Path

import pytest

from opensmtpd.backends.secrets import read_password, warn_if_readable
from opensmtpd.errors import ConfigError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "password"
    path.write_bytes(b"hunter2\n")
    path.chmod(0o640)
    return path


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o666])
def test_everybody_can_read_it(path: Path, mode: int, logged: list[str]) -> None:
    path.chmod(mode)
    warn_if_readable(str(path))
    assert logged == [
        f'secret-readable path={path} reason="everybody can read the password in it"'
        f' remedy="chmod o= {path}"'
    ]


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o660, 0o400])
def test_some_can_read_it(path: Path, mode: int, logged: list[str]) -> None:
    path.chmod(mode)
    warn_if_readable(str(path))
    assert read_password(str(path)) == b"hunter2"
    assert logged == []


@pytest.mark.parametrize(
    ("data", "password"),
    [
        (b"hunter2", b"hunter2"),
        (b"hunter2\r\n", b"hunter2"),
        (b"a b\t \nmore\n", b"a b\t "),
        (b"\xff\xfe\n", b"\xff\xfe"),
        (b"x" * 1024 + b"\n", b"x" * 1024),
    ],
)
def test_the_first_line_is_the_password(path: Path, data: bytes, password: bytes) -> None:
    path.write_bytes(data)
    assert read_password(str(path)) == password


@pytest.mark.parametrize("data", [b"", b"\n", b"\r\n", b"\nx", b"x" * 1025, b"a\0b\n"])
def test_a_line_that_is_none(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    with pytest.raises(ConfigError) as caught:
        read_password(str(path))
    assert str(caught.value) == (
        f"{path}: its first line is no password of 1 to 1024 bytes;"
        " write the password alone into it"
    )


def test_a_password_that_everybody_can_read_is_used_and_logged(
    path: Path, logged: list[str]
) -> None:
    path.chmod(0o644)
    assert read_password(str(path)) == b"hunter2"
    assert len(logged) == 1
    assert "hunter2" not in logged[0]


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    for call in (read_password, warn_if_readable):
        with pytest.raises(ConfigError, match="cannot read it"):
            call(str(tmp_path / "none"))
