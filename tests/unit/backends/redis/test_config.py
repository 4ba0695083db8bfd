import os
from pathlib import Path

import pytest

from opensmtpd.backends.redis.backend import RedisBackend
from opensmtpd.backends.redis.config import read
from opensmtpd.backends.redis.place import RedisPlace
from opensmtpd.errors import ConfigError
from opensmtpd.table import Service


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "redis.conf"


def written(path: Path, text: str) -> RedisBackend:
    path.write_text(text)
    path.chmod(0o600)
    return read(str(path))


def places(path: Path, text: str) -> list[RedisPlace]:
    return [RedisPlace(*each) for each in written(path, text).plain()[0]]


def queries(path: Path, text: str) -> dict[str, str]:
    return {name: query for name, query, _ in written(path, text).plain()[1]}


def test_an_empty_file_is_that_of_the_c_program(path: Path) -> None:
    assert places(path, "") == [RedisPlace("127.0.0.1", 6379)]
    assert queries(path, "") == {
        "query_alias": "GET alias:%s",
        "query_domain": "GET domain:%s",
        "query_credentials": "GET credentials:%s",
        "query_netaddr": "GET netaddr:%s",
        "query_userinfo": "GET userinfo:%s",
        "query_source": "GET source:%s",
        "query_mailaddr": "GET mailaddr:%s",
        "query_addrname": "GET addrname:%s",
    }


def test_the_manual_of_the_c_program(path: Path) -> None:
    text = (
        "# a comment\n"
        "master: 192.0.2.1\nmaster_port\t7000\nslave : unix:/run/s\nslave_port 7001\n"
        "database 3\npassword pass: word \n"
        "query_domain SISMEMBER domains %s\n"
        "query_userinfo HMGET user:%s uid gid maildir\n"
    )
    assert places(path, text) == [
        RedisPlace("192.0.2.1", 7000, password="pass: word", database=3),
        RedisPlace(path="/run/s", password="pass: word", database=3),
    ]
    found = queries(path, text)
    assert found["query_domain"] == "SISMEMBER domains %s"
    assert found["query_userinfo"] == "HMGET user:%s uid gid maildir"
    assert found["query_alias"] == "GET alias:%s"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("slave 192.0.2.2", [RedisPlace(), RedisPlace("192.0.2.2", 6380)]),
        ("slave NULL", [RedisPlace()]),
        ("slave_port 7", [RedisPlace()]),
        ("master unix:/run/s\nmaster_port 7", [RedisPlace(path="/run/s")]),
        ("user u\npassword p", [RedisPlace(user="u", password="p")]),
        (
            "url redis://h:7/2 rediss://i",
            [RedisPlace("h", 7, database=2), RedisPlace("i", tls=True)],
        ),
        (
            "url redis://h unix:/s\nuser u\npassword p\ndatabase 4",
            [RedisPlace(h, 6379, p, "u", "p", 4) for h, p in (("h", ""), ("127.0.0.1", "/s"))],
        ),
        ("master ::1", [RedisPlace("::1")]),
        (
            "tls yes\ntls_ca /ca\ntls_cert /cert\ntls_key /key\nslave unix:/s",
            [
                RedisPlace("127.0.0.1", 6379, "", "", "", 0, True, "/ca", "/cert", "/key"),
                RedisPlace("127.0.0.1", 6379, "/s", "", "", 0, False, "/ca", "/cert", "/key"),
            ],
        ),
    ],
)
def test_servers(path: Path, text: str, expected: list[RedisPlace]) -> None:
    assert places(path, text) == expected


def test_the_name_of_the_servers_has_no_secret(path: Path) -> None:
    backend = written(path, "\nurl redis://u:secret@h unix://u:secret@/s\n")
    assert backend.name == "h:6379, unix:/s"
    assert backend.line == 2
    assert written(path, "\n\nmaster 127.0.0.1").line == 3
    assert written(path, "").line is None


def test_needs(path: Path) -> None:
    both = written(path, "master unix:/a\nslave h\ntls yes\ntls_ca /ca")
    assert both.needs.network
    assert both.needs.sockets == ("/a",)
    assert both.reads == ("/ca",)
    one = written(path, "master unix:/a\nslave unix:/b")
    assert not one.needs.network
    assert one.needs.sockets == ("/a", "/b")
    assert one.reads == ()


def test_the_authorities_of_the_system_are_needed_by_tls_without_others(path: Path) -> None:
    assert any("ssl" in name for name in written(path, "tls yes").reads)


def test_a_password_in_a_file(path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    secret = path.with_name("secret")
    secret.write_bytes(b"s3cret \xff\nrest\n")
    secret.chmod(0o600)
    backend = written(path, f"user u\npassword_file {secret}")
    assert RedisPlace(*backend.plain()[0][0]).password == "s3cret \udcff"
    assert backend.reads == (str(secret),)
    assert capfd.readouterr().err == ""
    secret.chmod(0o644)
    written(path, f"password_file {secret}")
    assert f"secret-readable path={secret}" in capfd.readouterr().err


@pytest.mark.parametrize("text", ["password s3cret", "url redis://u:s3cret@h"])
def test_a_password_that_others_can_read(
    path: Path, text: str, capfd: pytest.CaptureFixture[str]
) -> None:
    written(path, text)
    assert capfd.readouterr().err == ""
    path.chmod(0o644)
    read(str(path))
    logged = capfd.readouterr().err
    assert f"secret-readable path={path}" in logged
    assert "s3cret" not in logged


def test_a_password_in_a_url_beside_that_of_a_file(
    path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    secret = path.with_name("secret")
    secret.write_bytes(b"other\n")
    secret.chmod(0o600)
    for login, warned in (("u@", False), ("u:s3cret@", True)):
        written(path, f"url redis://{login}h redis://h\npassword_file {secret}")
        path.chmod(0o644)
        read(str(path))
        assert (f"secret-readable path={path}" in capfd.readouterr().err) is warned


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("master a\nmaster b", r":2: master stands in line 1, too; remove one"),
        ("timeout 1\ntimeout 1", r":2: timeout stands in line 1, too; remove one"),
        ("query_alias GET a\nquery_alias GET a", r":1: .*one answer|:2: .*line 1, too"),
        ("master_port 65536", r":1: bad value for master_port: '65536' is no number from 0 to"),
        ("slave_port x", r":1: bad value for slave_port"),
        ("database -1", r":1: bad value for database"),
        ("tls maybe", r":1: bad value for tls: 'maybe' is neither yes nor no"),
        ("tls_ca /ca", r":1: tls_ca without TLS; say 'tls yes'"),
        ("master unix:/s\ntls yes\ntls_key /k", r":3: tls_key without TLS"),
        ("url http://h", r":1: bad value for url: no URL"),
        ("master h\nurl redis://h", r":1: master and url, of which one is enough; .* line 2"),
        ("password a\npassword_file /x", r":2: password_file and password, of which one"),
        ("password_file /nonexistent/x", r"/nonexistent/x: cannot read it"),
        ("password_file s3cret", r":1: bad value for password_file: a path begins with '/'$"),
        ("query_alias", r""),
        ("query_alias GET %d", r":1: bad value for query_alias: '%d' is no place"),
        ("query_alias SUBSCRIBE %s", r":1: bad value for query_alias: the command SUBSCRIBE"),
        (
            "query_domain GET x",
            r":1: query_domain gives one answer for all keys; .*constant_domain",
        ),
        ("fetch_source SMEMBERS %s", r":1: bad value for fetch_source: a list has no key"),
        ("patterns_domain SMEMBERS %s", r":1: bad value for patterns_domain: a list has no key"),
    ],
)
def test_a_file_that_cannot_be_used(path: Path, text: str, error: str) -> None:
    if not error:  # as the other programs, it passes over a key without a value
        written(path, text)
        return
    with pytest.raises(ConfigError, match=error):
        written(path, text)


def test_an_error_tells_no_password(path: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        written(path, "url redis://u:s3cret@h:port")
    assert "s3cret" not in str(raised.value)
    with pytest.raises(ConfigError) as raised:
        written(path, "password s3cret\npassword s3cret")
    assert "s3cret" not in str(raised.value)


def test_one_answer_for_all_keys_where_that_is_meant(path: Path) -> None:
    found = queries(
        path, "query_domain GET x\nconstant_domain yes\nquery_userinfo HMGET vmail u g h"
    )
    assert found["query_domain"] == "GET x"
    assert found["query_userinfo"] == "HMGET vmail u g h"


def test_unknown_keys_are_logged(path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    written(path, "colour blue\n")
    assert f'key-ignored key=colour at={path}:1 reason="it is unknown"' in capfd.readouterr().err


def test_the_keys_of_all_network_tables(path: Path) -> None:
    backend = written(path, "timeout 0.25\nstale 60\nmatch domain\nfetch_source_expire 7\n")
    settings = backend.settings
    assert (settings.timeout, settings.stale, settings.expire) == (0.25, 60.0, 7)
    assert settings.matched == {Service.DOMAIN}
    assert os.path.basename(backend.path) == "redis.conf"
