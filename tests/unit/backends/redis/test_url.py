import pytest

from opensmtpd.backends.redis.place import RedisPlace
from opensmtpd.backends.redis.url import place


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://", RedisPlace()),
        ("redis://redis.example", RedisPlace("redis.example")),
        ("redis://redis.example:7/3", RedisPlace("redis.example", 7, database=3)),
        ("redis://redis.example/", RedisPlace("redis.example")),
        ("redis://[::1]:7", RedisPlace("::1", 7)),
        ("redis://:p@192.0.2.1", RedisPlace("192.0.2.1", password="p")),
        ("redis://u:p@192.0.2.1", RedisPlace("192.0.2.1", user="u", password="p")),
        ("redis://u:p%40%3a%2F%C3%B6@h", RedisPlace("h", user="u", password="p@:/ö")),
        ("rediss://redis.example", RedisPlace("redis.example", tls=True)),
        ("unix:/run/s", RedisPlace(path="/run/s")),
        ("unix:///run/s", RedisPlace(path="/run/s")),
        ("unix://u:p@/run/s?db=2", RedisPlace(path="/run/s", database=2, user="u", password="p")),
        ("unix:/run/a%20b", RedisPlace(path="/run/a b")),
    ],
)
def test_a_url(url: str, expected: RedisPlace) -> None:
    assert place(url) == expected


def test_the_rest_is_as_elsewhere() -> None:
    default = RedisPlace("x", 1, "/s", "user", "secret", 5, True, "/ca")
    assert place("redis://h", default) == RedisPlace(
        "h", 6379, "", "user", "secret", 5, True, "/ca"
    )
    assert place("redis://h/0", default).database == 0
    assert place("unix:/run/s", default).tls is False
    assert place("redis://u:p@h", default)[3:5] == ("u", "p")
    assert place("redis://u@h", default)[3:5] == ("u", "secret")
    assert place("redis://:p@h", default)[3:5] == ("", "p")


@pytest.mark.parametrize(
    "url",
    [
        *(
            "",
            "redis.example",
            "http://redis.example",
            "redis:/h",
            "unix:",
            "unix:s",
            "redis://h:x",
        ),
        *(
            "redis://u:secret@h/a",
            "redis://a:secret@b:c@h",
            "redis://u:secret@h:99999",
            "redis://h?db=1",
        ),
        *("redis://u:secret@[::1", "redis://u:secret@h:0:1", "redis://h/99999999999"),
    ],
)
def test_what_is_no_url(url: str) -> None:
    with pytest.raises(ValueError, match=r"no URL|no number") as raised:
        place(url)
    assert "secret" not in str(raised.value)
