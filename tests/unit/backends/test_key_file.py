"""Configuration files of our own, and sockets in their place."""

import socket
from pathlib import Path

import pytest

from opensmtpd.backends import key_file
from opensmtpd.errors import ConfigError


def read(tmp_path: Path, text: str) -> tuple[dict[str, str], dict[str, int]]:
    path = tmp_path / "x.conf"
    path.write_text(text)
    values: dict[str, str] = {}

    def take(key: str, value: str, line: int) -> bool:
        if key == "number" and not value.isdigit():
            raise ValueError("no number")
        if key in ("number", "map"):
            values[key] = value
        return key in ("number", "map")

    return values, key_file.read(str(path), ("number", "map"), take)


def test_keys_and_their_lines(tmp_path: Path) -> None:
    found = read(tmp_path, "# a comment\n\n map: a b \nnumber\t7\n")
    assert found == ({"map": "a b", "number": "7"}, {"map": 3, "number": 4})


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("map a\nmap b\n", ":2: map stands in line 1, too; remove one"),
        ("mapp a\n", ":1: no key is 'mapp'; did you mean map?"),
        ("xyzxyz a\n", ":1: no key is 'xyzxyz'"),
        ("\nnumber x\n", ":2: bad value for number: no number"),
    ],
)
def test_faults_have_their_line(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    assert str(caught.value) == f"{tmp_path}/x.conf{fault}"


def test_files_and_sockets(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with socket.socket(socket.AF_UNIX) as end:
        end.bind(str(tmp_path / "socket"))
        assert not key_file.is_one(str(tmp_path / "socket"))
    assert not key_file.is_one(str(tmp_path / "socket"))  # nobody listens any more
    assert not key_file.is_one(str(tmp_path / "nothing"))
    assert not key_file.is_one(str(tmp_path / "file" / "x"))
    assert key_file.is_one(str(tmp_path / "file"))
    assert key_file.is_one(str(tmp_path))  # which reading() refuses
    assert key_file.is_one("/a\0b")


def test_paths_of_sockets() -> None:
    assert key_file.absolute("/" + "x" * 106) == "/" + "x" * 106
    assert key_file.bare_socket("/run/s") == "/run/s"
    with pytest.raises(ValueError, match="begins with /"):
        key_file.absolute("run/s")
    with pytest.raises(ValueError, match="107 bytes at most"):
        key_file.absolute("/" + "ä" * 54)
    with pytest.raises(ConfigError, match=r"^run/s: a socket's path begins with /$"):
        key_file.bare_socket("run/s")
