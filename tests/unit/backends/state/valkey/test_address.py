"""URLs of servers."""

from pathlib import Path

import pytest

from opensmtpd.backends.redis.place import RedisPlace
from opensmtpd.backends.state.valkey.address import SharedPlace, address
from opensmtpd.errors import ConfigError


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("redis://localhost", RedisPlace("localhost", 6379)),
        ("redis://192.0.2.1:6400/", RedisPlace("192.0.2.1", 6400)),
        ("redis://[2001:db8::1]:6400/3", RedisPlace("2001:db8::1", 6400, database=3)),
        ("redis://m%40il@host", RedisPlace("host", user="m@il")),
        (
            "redis://host?db=4,ca_file=/a%2Cb",
            RedisPlace("host", database=4, authorities="/a,b"),
        ),
        ("rediss://host?ca_file=/ca.pem", RedisPlace("host", tls=True, authorities="/ca.pem")),
        (
            "rediss://host?cert_file=/c.pem&key_file=/k.pem",
            RedisPlace("host", tls=True, certificate="/c.pem", key="/k.pem"),
        ),
        ("unix:///run/valkey/s.sock", RedisPlace(path="/run/valkey/s.sock")),
        ("unix:/run/s%20t?db=2", RedisPlace(path="/run/s t", database=2)),
    ],
)
def test_places(url: str, place: RedisPlace) -> None:
    assert address(url, "smtpd:") == SharedPlace(place, b"smtpd:", False, b"")


def test_names_of_keys(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"s3cret\r\nmore\n")
    secret.chmod(0o600)
    found = address(f"redis://h?prefix=mx1%3A&keys=hashed&secret_file={secret}", "smtpd:")
    assert found[1:] == (b"mx1:", True, b"s3cret")


def test_a_password_comes_from_a_file(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "password"
    file.write_bytes(b"p\xffss\n")
    file.chmod(0o640)
    assert address(f"redis://u@h?password_file={file}", "").place == RedisPlace(
        "h", user="u", password="p\udcffss"
    )
    assert capfd.readouterr().err == ""
    file.chmod(0o644)
    address(f"redis://u@h?password_file={file}", "")
    assert capfd.readouterr().err.startswith(f"secret-readable path={file} ")


@pytest.mark.parametrize("content", ["", "\nsecond line\n", "x" * 5000])
def test_a_file_without_a_secret_is_told(tmp_path: Path, content: str) -> None:
    file = tmp_path / "password"
    file.write_text(content)
    with pytest.raises(ConfigError, match=f"{file}: its first line is no password"):
        address(f"redis://h?password_file={file}", "")


def test_a_file_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read it"):
        address(f"redis://h?password_file={tmp_path}/missing", "")


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("", "the URL of a server: no URL such as redis://HOST"),
        ("/run/valkey.sock", "no URL such as redis://HOST"),
        ("http://host", "no URL such as redis://HOST"),
        ("redis://host#top", "no URL such as redis://HOST"),
        ("unix:", "no URL such as redis://HOST"),
        ("redis://host:70000", "'70000' is no number from 0 to 65535"),
        ("redis://[::1", "no URL such as redis://HOST"),
        ("redis://host/one", "no URL such as redis://HOST"),
        ("redis://host?db=one", "'one' is no number from 0"),
        ("redis://host?prefx=a", r"the URL has an unknown key; did you mean prefix\?$"),
        ("redis://host?prefix=a&prefix=b", "prefix of the URL is given twice"),
        ("redis://host?prefix=", "prefix of the URL is given twice, or has no value"),
        ("redis://host?prefix", "stand key=value"),
        ("redis://host?password_file=s3cret", "^the path of a file in the URL begins with '/'$"),
        ("redis://host?secret_file=s3cret", "^the path of a file in the URL begins with '/'$"),
        ("redis://host?keys=secret", "keys of the URL is neither plain nor hashed"),
        ("redis://host?keys=hashed", "hides nothing without a secret"),
    ],
)
def test_what_cannot_be_used_is_told(url: str, fault: str) -> None:
    with pytest.raises(ConfigError, match=fault):
        address(url, "smtpd:")


def test_a_password_in_a_url_is_refused_and_not_told() -> None:
    with pytest.raises(ConfigError, match="password_file=/path") as caught:
        address("redis://mail:s3cret@host", "smtpd:")
    assert "s3cret" not in str(caught.value)


def test_a_plus_in_a_path_is_no_blank(tmp_path: Path) -> None:
    path = tmp_path / "a+b"
    path.write_text("secret\n")
    assert address(f"redis://h?password_file={path}", "x").place.password == "secret"
